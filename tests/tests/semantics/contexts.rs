//! What a context is: its span (rule 3.1.12), detaching (3.1.8), the guard and the clones of its canceller.

use std::collections::HashSet;

use ctxprop::{Background, Cause, Ctx};

use crate::support::{Name, Tenant, root, secs};

#[test]
fn a_root_has_nothing_and_never_ends() {
    for root in [Ctx::background(), Ctx::todo()] {
        assert!(!root.is_done() && root.cause().is_none() && root.check().is_ok());
        assert!(root.deadline().is_none() && root.remaining().is_none());
        assert!(!root.span().is_valid() && root.baggage_map().is_empty());
        assert!(root.value::<Name>().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_8_detach_keeps_values_span_and_baggage_and_drops_deadline_and_cancellation() {
    let (ctx, canceller) = root()
        .with_value(Name("kept"))
        .child_span()
        .with_baggage(&Tenant("acme".into()))
        .unwrap()
        .with_timeout(secs(1))
        .with_cancel();
    let detached = ctx.detach("a test");
    assert_eq!(detached.value(), Some(&Name("kept")));
    assert_eq!(detached.span(), ctx.span());
    assert_eq!(detached.baggage::<Tenant>().unwrap().0, "acme");
    assert!(detached.deadline().is_none() && detached.remaining().is_none());
    canceller.cancel();
    tokio::time::advance(secs(2)).await;
    assert!(ctx.is_done() && !detached.is_done());
}

#[test]
fn rule_3_1_8_detaching_an_ended_context_gives_one_that_lasts() {
    let (ctx, canceller) = root().with_cancel();
    canceller.cancel();
    let detached = ctx.detach("a test");
    assert!(!detached.is_done());
    let (child, canceller) = detached.with_cancel();
    assert!(!child.is_done(), "nor do its children see the end above the detachment");
    canceller.cancel_with(Cause::Shutdown);
    assert_eq!(child.cause(), Some(Cause::Shutdown));
    assert!(!detached.is_done());
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_8_a_detached_context_takes_a_deadline_longer_than_the_one_it_left() {
    let request = root().with_timeout(secs(1));
    let audit = request.detach("a test").with_timeout(secs(30));
    assert_eq!(audit.remaining(), Some(secs(30)));
    assert_eq!(audit.done().await, Cause::DeadlineExceeded);
    assert!(request.is_done());
}

#[test]
fn rule_3_1_12_the_first_child_span_starts_a_sampled_random_trace() {
    let bare = root();
    let first = bare.child_span();
    assert!(!bare.span().is_valid(), "contexts are immutable");
    assert!(first.span().is_valid() && first.span().is_sampled());
    assert!(first.span().flags().is_random());
    let second = first.child_span();
    assert_eq!(second.span().trace_id(), first.span().trace_id());
    assert_ne!(second.span().span_id(), first.span().span_id());
    assert_eq!(second.span().parent_id(), Some(first.span().span_id()));
    assert_ne!(
        bare.child_span().span().trace_id(),
        first.span().trace_id(),
        "a second first span is another trace"
    );
}

#[test]
fn rule_3_1_12_every_other_kind_of_child_stays_in_the_span() {
    let ctx = root().child_span();
    let deep = ctx
        .with_value(1_u8)
        .with_timeout(secs(9))
        .with_cancel()
        .0
        .detach("a test")
        .with_budget_share(0.5);
    assert_eq!(deep.span(), ctx.span());
}

#[test]
fn rule_3_1_12_ids_of_several_threads_never_meet() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                (0..1_000).map(|_| root().child_span().span().clone()).collect::<Vec<_>>()
            })
        })
        .collect();
    let spans: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let traces: HashSet<_> = spans.iter().map(|span| span.trace_id()).collect();
    let ids: HashSet<_> = spans.iter().map(|span| span.span_id()).collect();
    assert_eq!((traces.len(), ids.len()), (4_000, 4_000));
}

#[test]
fn clones_are_the_same_context_and_cancellers_end_the_same_one() {
    let (ctx, canceller) = root().with_cancel();
    let (twin, second) = (ctx.clone(), canceller.clone());
    second.cancel_with(Cause::Shutdown);
    canceller.cancel();
    assert_eq!(ctx.cause(), Some(Cause::Shutdown));
    assert_eq!(twin.cause(), Some(Cause::Shutdown));
}

#[test]
fn dropping_a_canceller_ends_nothing_and_dropping_a_guard_does() {
    let (ctx, canceller) = root().with_cancel();
    drop(canceller.clone());
    assert!(!ctx.is_done());
    let guard = canceller.drop_guard();
    assert!(!ctx.is_done());
    let canceller = guard.disarm();
    assert!(!ctx.is_done(), "a disarmed guard ends nothing");
    drop(canceller.drop_guard());
    assert_eq!(ctx.cause(), Some(Cause::Cancelled));
}

#[test]
fn a_canceller_ends_children_of_a_context_that_nobody_holds() {
    let (child, canceller) = {
        let (parent, canceller) = root().with_cancel();
        (parent.with_value(1_u8).with_cancel().0, canceller)
    };
    canceller.cancel();
    assert!(child.is_done());
}

#[test]
fn debug_prints_the_chain_but_no_value() {
    struct Secret(#[expect(dead_code, reason = "never to be printed")] &'static str);
    let (ctx, canceller) = root().with_value(Secret("hunter2")).with_cancel();
    let text = format!("{:?}", ctx.detach("the audit log"));
    assert!(text.contains("the audit log") && text.contains("Secret") && text.contains("root"));
    assert!(!text.contains("hunter2"));
    canceller.cancel();
    assert!(format!("{ctx:?}").contains("Cancelled"));
}
