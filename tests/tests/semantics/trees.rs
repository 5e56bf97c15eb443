//! How the end of a context reaches its descendants: rules 3.1.2, 3.1.4 and 3.1.6, on one thread.

use std::sync::{Arc, Mutex};

use ctxprop::{Canceller, Cause, Ctx};
use tokio::time::advance;

use crate::support::{Name, Wakes, custom, poll_once, poll_with, root, secs, waker_fn};

/// One child of every kind that ends with its parent.
fn children(parent: &Ctx) -> Vec<(&'static str, Ctx)> {
    vec![
        ("clone", parent.clone()),
        ("value", parent.with_value(Name("child"))),
        ("cancel", parent.with_cancel().0),
        ("timeout", parent.with_timeout(secs(1_000))),
        ("endless timeout", parent.with_timeout(std::time::Duration::MAX)),
        ("deadline", parent.with_deadline(tokio::time::Instant::now() + secs(999))),
        ("share", parent.with_budget_share(0.5)),
        ("span", parent.child_span()),
        ("given span", parent.with_span(parent.span().child())),
    ]
}

/// All descendants of three generations: each kind below each kind.
fn family(parent: &Ctx) -> Vec<(String, Ctx)> {
    let mut all = Vec::new();
    let mut last: Vec<(String, Ctx)> = vec![(String::new(), parent.clone())];
    for _ in 0..3 {
        last = last
            .iter()
            .flat_map(|(names, ctx)| {
                children(ctx)
                    .into_iter()
                    .map(move |(name, child)| (format!("{names}/{name}"), child))
            })
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

#[test]
fn rule_3_1_2_cancel_reaches_every_kind_of_descendant_before_it_returns() {
    let (parent, canceller) = root().with_cancel();
    let family = family(&parent);
    let stranger = root().with_cancel();
    assert!(family.iter().all(|(_, ctx)| !ctx.is_done()));
    canceller.cancel_with(Cause::Shutdown);
    for (name, ctx) in &family {
        assert!(ctx.is_done(), "{name}");
        assert_eq!(ctx.cause(), Some(Cause::Shutdown), "{name}");
        assert!(poll_once(std::pin::pin!(ctx.done())).is_ready(), "{name}");
    }
    assert!(!stranger.0.is_done());
}

#[test]
fn rule_3_1_2_a_child_never_affects_its_parent_or_siblings() {
    let (parent, _canceller) = root().with_cancel();
    let siblings = children(&parent);
    for canceller in [
        parent.with_cancel().1,
        parent.with_value(1_u8).with_cancel().1,
        parent.with_timeout(secs(5)).with_cancel().1,
        parent.child_span().with_cancel().1,
    ] {
        canceller.cancel();
        assert!(!parent.is_done());
        assert!(siblings.iter().all(|(_, ctx)| !ctx.is_done()));
    }
}

#[test]
fn rule_3_1_4_a_child_of_an_ended_parent_is_born_ended_with_its_cause() {
    let (parent, canceller) = root().with_cancel();
    let cause = custom("ended");
    canceller.cancel_with(cause.clone());
    for (name, ctx) in family(&parent) {
        assert_eq!(ctx.cause(), Some(cause.clone()), "{name}");
    }
    let (child, canceller) = parent.with_cancel();
    canceller.cancel();
    assert_eq!(child.cause(), Some(cause));
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_4_a_child_of_an_expired_parent_is_born_ended() {
    let parent = root().with_timeout(secs(1));
    advance(secs(1)).await;
    for (name, ctx) in family(&parent) {
        assert_eq!(ctx.cause(), Some(Cause::DeadlineExceeded), "{name}");
    }
}

#[test]
fn rule_3_1_4_a_context_that_only_adds_a_value_ends_with_its_parent_even_where_that_is_a_root() {
    let ctx = root().with_value(1_u8).with_value(2_u16).child_span();
    assert!(!ctx.is_done());
    let (ctx, canceller) = ctx.with_cancel();
    let valued = ctx.with_value(3_u32);
    canceller.cancel();
    assert!(valued.is_done());
}

#[test]
fn rule_3_1_2_a_waker_woken_by_cancel_sees_every_descendant_ended() {
    let (parent, canceller) = root().with_cancel();
    let family: Arc<Vec<_>> = Arc::new(family(&parent));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let waiting: Vec<_> = [&parent, &family[30].1, &family[family.len() - 1].1]
        .into_iter()
        .map(|ctx| {
            let (family, seen) = (Arc::clone(&family), Arc::clone(&seen));
            let waker = waker_fn(move || {
                let ended = family.iter().filter(|(_, ctx)| ctx.is_done()).count();
                seen.lock().unwrap().push(ended);
            });
            let mut done = Box::pin(ctx.done());
            assert!(poll_with(done.as_mut(), &waker).is_pending());
            done
        })
        .collect();
    canceller.cancel();
    assert_eq!(*seen.lock().unwrap(), vec![family.len(); 3]);
    drop(waiting);
}

#[test]
fn rule_3_1_2_a_waker_may_cancel_create_and_drop_contexts_of_the_same_tree() {
    let (parent, canceller) = root().with_cancel();
    let (child, end_child) = parent.with_cancel();
    let late: Arc<Mutex<Vec<Ctx>>> = Arc::default();
    let kept = Arc::new(Mutex::new(Some(child.with_cancel())));
    let waker = waker_fn({
        let (parent, canceller, late) = (parent.clone(), canceller.clone(), Arc::clone(&late));
        move || {
            canceller.cancel_with(Cause::Shutdown);
            end_child.cancel();
            late.lock().unwrap().push(parent.with_cancel().0);
            drop(kept.lock().unwrap().take());
        }
    });
    let mut done = Box::pin(child.done());
    assert!(poll_with(done.as_mut(), &waker).is_pending());
    canceller.cancel();
    assert_eq!(late.lock().unwrap()[0].cause(), Some(Cause::Cancelled));
}

#[test]
fn rule_3_1_6_done_of_each_descendant_wakes_once() {
    let (parent, canceller) = root().with_cancel();
    let family = family(&parent);
    let mut waiting: Vec<_> = family
        .iter()
        .map(|(name, ctx)| {
            let (wakes, waker) = Wakes::new();
            let mut done = Box::pin(ctx.done());
            assert!(poll_with(done.as_mut(), &waker).is_pending(), "{name}");
            assert!(poll_with(done.as_mut(), &waker).is_pending(), "{name}");
            (name, done, wakes)
        })
        .collect();
    canceller.cancel();
    canceller.cancel();
    for (name, done, wakes) in &mut waiting {
        assert_eq!(wakes.count(), 1, "{name}");
        assert!(poll_once(done.as_mut()).is_ready(), "{name}");
    }
}

#[test]
fn rule_3_1_2_a_wide_and_a_deep_tree_end_whole() {
    let (parent, canceller) = root().with_cancel();
    let wide: Vec<Ctx> = (0..10_000).map(|_| parent.with_cancel().0).collect();
    let mut deep = vec![parent.clone()];
    for n in 0..10_000_usize {
        deep.push(deep[n].with_cancel().0);
    }
    canceller.cancel();
    assert!(wide.iter().chain(&deep).all(Ctx::is_done));
}

#[test]
fn rule_3_1_2_children_that_come_and_go_do_not_confuse_the_tree() {
    // Growing and shrinking moves children to other places in their parent's set.
    let (parent, canceller) = root().with_cancel();
    let mut rng = crate::support::Rng::new(7);
    let mut alive: Vec<(Ctx, Canceller)> = Vec::new();
    for round in 0..20 {
        alive.extend((0..1_000).map(|_| parent.with_cancel()));
        rng.shuffle(&mut alive);
        alive.truncate(if round % 2 == 0 { 20 } else { 900 });
        let ended = alive.pop().unwrap();
        ended.1.cancel();
        assert!(ended.0.is_done() && !parent.is_done());
        assert!(alive.iter().all(|(ctx, _)| !ctx.is_done()));
    }
    canceller.cancel_with(Cause::Finished);
    for (ctx, _) in &alive {
        assert_eq!(ctx.cause(), Some(Cause::Finished));
    }
}
