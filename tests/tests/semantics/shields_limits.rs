//! How long shields run, and what they run under (`docs/semantics.md`, 3.2).

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ctxprop::{Cancelled, Canceller, Cause, Ctx, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};

use crate::shields::{Boxed, settle};
use crate::support::{
    Forever, Log, Name, Tenant, current_name, no_hang, poll_once, poll_with, root, secs, waker_fn,
};

#[propagate]
async fn waits(log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("inner unwound");
    pending().await
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_37_a_shield_is_stopped_at_its_limit() {
    let start = Instant::now();
    let (ctx, canceller) = root().with_timeout(secs(1)).with_cancel();
    let (forever, polls) = Forever::new();
    let cancelled = no_hang(ctx.shield(secs(9), forever)).await.unwrap_err();
    assert!(cancelled.is_deadline());
    assert_eq!(cancelled.budget(), Some(secs(9)));
    assert_eq!((start.elapsed(), polls.load(Ordering::SeqCst)), (secs(9), 2));
    canceller.cancel();
    let never = ctx.shield(Duration::ZERO, Forever(Arc::clone(&polls)));
    assert!(no_hang(never).await.is_err());
    assert_eq!(polls.load(Ordering::SeqCst), 2, "no time is granted, nothing is polled");
    assert_eq!(no_hang(ctx.shield(Duration::MAX, sleep(secs(99)))).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_37_the_limit_counts_from_the_await_and_ends_an_enclosing_run() {
    let (ctx, canceller) = root().with_cancel();
    canceller.cancel();
    let shield = ctx.shield(secs(5), pending::<()>());
    sleep(secs(3)).await;
    let start = Instant::now();
    assert!(no_hang(shield).await.is_err());
    assert_eq!(start.elapsed(), secs(5));
    let (ctx, canceller) = root().with_cancel();
    let inner = ctx.clone();
    let task = ctx.spawn(async move {
        let outcome = inner.shield(secs(5), pending::<()>()).await;
        assert!(outcome.unwrap_err().is_deadline());
        pending::<()>().await;
    });
    settle().await;
    let start = Instant::now();
    canceller.cancel();
    assert_eq!(no_hang(task).await.unwrap_err().cause(), &Cause::Cancelled);
    assert_eq!(start.elapsed(), secs(5));
}

#[propagate]
async fn cleans_up(log: Log) -> Result<(), Cancelled> {
    let outcome = waits(log.clone()).await;
    let released = Ctx::current()
        .shield(secs(2), async {
            sleep(secs(1)).await;
            "released"
        })
        .await;
    log.note(released.unwrap());
    let kept = Ctx::current().shield(secs(2), async { "ready at once" });
    log.note(kept.await?);
    outcome
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_39_a_shield_that_starts_after_the_end_runs() {
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(cleans_up(log.clone()));
    settle().await;
    canceller.cancel();
    assert!(no_hang(task).await.expect("unwound").is_err());
    assert_eq!(log.taken(), ["inner unwound", "released", "ready at once"]);
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_45_nested_shields_hold_as_long_as_one_is_active() {
    let start = Instant::now();
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let (outer, inner, notes) = (ctx.clone(), ctx.clone(), log.clone());
    let task = ctx.spawn(async move {
        let outcome = outer
            .shield(secs(2), async move {
                let done = inner.shield(secs(10), sleep(secs(7))).await;
                notes.note(format!("inner {done:?} at {:?}", start.elapsed()));
                pending::<()>().await;
            })
            .await;
        assert!(outcome.unwrap_err().is_deadline());
        pending::<()>().await;
    });
    settle().await;
    canceller.cancel();
    assert!(no_hang(task).await.is_err());
    assert_eq!(log.taken(), ["inner Ok(()) at 7s"]);
    assert_eq!(start.elapsed(), secs(7), "the outer one's limit had passed by then");
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_38_a_shield_gives_the_values_the_span_and_the_baggage_but_not_the_deadline() {
    let tenant = Tenant("acme".to_owned());
    let ctx = root().with_value(Name("request")).child_span();
    let ctx = ctx.with_baggage(&tenant).unwrap().with_timeout(secs(1));
    let span = ctx.span().clone();
    sleep(secs(2)).await;
    assert!(ctx.is_done());
    let seen = ctx.shield(secs(5), async {
        let inside = Ctx::current();
        assert!(!inside.is_done());
        assert_eq!(inside.remaining(), Some(secs(5)));
        assert_eq!(inside.baggage::<Tenant>().unwrap().0, "acme");
        (current_name(), inside.span().clone())
    });
    assert_eq!(no_hang(seen).await, Ok((Some("request"), span)));
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_47_what_a_shield_leaves_behind_ends_with_it() {
    let ctx = root();
    let child = ctx.shield(secs(5), async { Ctx::current().with_cancel().0 }).await.unwrap();
    assert_eq!(child.cause(), Some(Cause::Finished));
}

#[propagate]
async fn slow(log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("slow unwound");
    sleep(secs(30)).await;
    log.note("never");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_37_a_propagate_call_in_a_shield_unwinds_at_the_limit() {
    let (ctx, canceller) = root().with_cancel();
    canceller.cancel();
    let log = Log::default();
    let start = Instant::now();
    let outcome = no_hang(ctx.shield(secs(4), slow(log.clone()))).await;
    assert!(outcome.expect("unwound, not dropped").unwrap_err().is_deadline());
    assert_eq!((start.elapsed(), log.taken()), (secs(4), vec!["slow unwound".to_owned()]));
}

type Drained = FuturesUnordered<Boxed<()>>;

#[propagate]
async fn takes_the_first(mut all: Drained) -> Result<Drained, Cancelled> {
    all.next().await;
    Ok(all)
}

#[propagate]
async fn selects(all: Drained) -> Result<usize, Cancelled> {
    tokio::select! {
        () = pending() => {}
        () = pending() => {}
    }
    Ok(all.len())
}

/// Lets the limit pass between the leaf that saw the shield and the next one.
#[propagate]
async fn out_of_time(all: Drained, canceller: Canceller) -> bool {
    let Ok(all) = takes_the_first(all).await else { return false };
    canceller.cancel();
    assert!(futures::poll!(pin!(tokio::time::advance(secs(9)))).is_pending());
    selects(all).await.is_err()
}

// Fails where whoever waits for a shield is woken while this thread's list of shields is borrowed, and polls one there
// and then.
#[tokio::test(start_paused = true)]
async fn rule_3_2_41_who_is_woken_as_a_shield_is_found_out_of_time_may_poll_another() {
    let (ctx, canceller) = root().with_cancel();
    let woken = Arc::new(AtomicBool::new(false));
    let waker = waker_fn({
        let woken = Arc::clone(&woken);
        move || {
            let work = root().shield(secs(1), pending::<()>());
            assert!(poll_once(pin!(root().scope(work))).is_pending());
            woken.store(true, Ordering::SeqCst);
        }
    });
    let all = Drained::new();
    let shield = ctx.shield(secs(5), async move {
        let mut done = pin!(Ctx::current().done());
        assert!(poll_with(done.as_mut(), &waker).is_pending());
        pending::<()>().await;
    });
    all.push(Box::pin(async move { drop(shield.await) }));
    all.push(Box::pin(async {}));
    assert!(no_hang(out_of_time(all, canceller).with(&ctx)).await);
    assert!(woken.load(Ordering::SeqCst));
}

#[propagate]
async fn dropped_by_hand(log: &Log, how: u8) -> Result<(), Cancelled> {
    let work = || {
        let guard = log.at_drop("work dropped");
        async move {
            pending::<()>().await;
            drop(guard);
        }
    };
    let shield = Ctx::current().shield(secs(60), work());
    match how {
        0 => assert!(tokio::time::timeout(secs(1), shield).await.is_err()),
        _ => tokio::select! {
            _ = shield => {}
            () = sleep(secs(1)) => {}
        },
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_46_a_timeout_and_a_plain_win_of_a_select_drop_the_work() {
    for how in 0..2 {
        let (log, start) = (Log::default(), Instant::now());
        assert_eq!(no_hang(dropped_by_hand(&log, how).with(&root())).await, Ok(()));
        assert_eq!((log.taken(), start.elapsed()), (vec!["work dropped".to_owned()], secs(1)));
    }
}
