//! Code that never waits sees the end too (rule 3.2.14), and what the end meets on its
//! way: wakers that panic, callbacks without a runtime, handles that are printed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use ctxprop::{Cancelled, Cause, Ctx, propagate};
use futures::StreamExt;

use super::support::{Wakes, poll_with, root, waker_fn};

#[propagate]
async fn cached(n: u64) -> Result<u64, Cancelled> {
    Ok(std::hint::black_box(n))
}

/// For ever, unless a leaf sees the end.
#[propagate]
async fn page() -> Result<u64, Cancelled> {
    let mut n = 0;
    loop {
        n = cached(n + 1).await?;
    }
}

#[tokio::test]
async fn rule_3_2_14_a_deadline_is_seen_by_leaves_that_are_always_ready() {
    let ctx = root().with_timeout(Duration::from_millis(5));
    assert!(page().with(&ctx).await.unwrap_err().is_deadline());
    let ctx = root().with_timeout(Duration::from_millis(5));
    assert!(ctx.run(page()).await.unwrap().unwrap_err().is_deadline());
}

#[test]
fn rule_3_1_2_a_waker_that_panics_keeps_nobody_from_hearing_of_the_end() {
    let (ctx, canceller) = root().with_cancel();
    let (wakes, waker) = Wakes::new();
    let panics = waker_fn(|| panic!("a waker, on purpose"));
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(ctx.done())).collect();
    for (done, waker) in waits.iter_mut().zip([&waker, &panics, &waker]) {
        assert!(poll_with(done.as_mut(), waker).is_pending());
    }
    let (tell, told) = mpsc::channel();
    ctx.on_done(move |cause| tell.send(cause).unwrap());
    assert!(catch_unwind(AssertUnwindSafe(|| canceller.cancel())).is_err());
    assert_eq!(wakes.count(), 2);
    assert_eq!(told.recv(), Ok(Cause::Cancelled));
}

#[test]
fn rule_3_1_7_callbacks_outside_of_a_runtime_share_a_thread_and_outlive_one_that_panics() {
    let (ctx, canceller) = root().with_cancel();
    let (tell, told) = mpsc::channel();
    ctx.on_done(|_| panic!("a callback, on purpose"));
    for _ in 0..1_000 {
        let tell = tell.clone();
        ctx.on_done(move |_| tell.send(std::thread::current().id()).unwrap());
    }
    canceller.cancel();
    drop(tell);
    let threads: Vec<_> = told.iter().collect();
    assert_eq!(threads.len(), 1_000);
    assert!(threads.iter().all(|thread| *thread == threads[0]));
}

/// A context may be deep, and hold what is private.
#[test]
fn what_ends_a_context_prints_nothing_of_it() {
    let mut ctx = root();
    for _ in 0..64 {
        ctx = ctx.with_cancel().0.child_span();
    }
    let (ctx, canceller) = ctx.with_cancel();
    let registration = ctx.on_done(|_| {});
    for text in [format!("{canceller:?}"), format!("{registration:?}")] {
        assert!(text.len() < 100, "{text}");
    }
    assert!(format!("{:?}", canceller.drop_guard()).len() < 150);
}

#[propagate]
async fn reads(stream: bool, waits_first: bool) -> Result<(), Cancelled> {
    if waits_first {
        tokio::task::yield_now().await;
    }
    let mut ready = futures::stream::repeat(1_u8);
    loop {
        if stream {
            ready.next().await;
        } else {
            let _ = tokio::join!(cached(1), cached(2)).0?;
        }
    }
}

// Fails where a deadline is seen by the timers of scopes alone: what is always ready never comes to them.
#[tokio::test]
async fn rule_3_2_14_a_deadline_is_seen_by_ready_streams_and_joins_and_after_a_real_wait() {
    for (stream, waits_first) in [(true, false), (true, true), (false, false), (false, true)] {
        let ctx = root().with_timeout(Duration::from_millis(5));
        assert!(reads(stream, waits_first).with(&ctx).await.unwrap_err().is_deadline());
    }
}

// Fails where the 64th poll looks at the clock of the current context alone: it may always be another's.
struct Shared(Ctx);

#[propagate]
async fn one_leaf() -> Result<(), Cancelled> {
    cached(1).await.map(drop)
}

#[propagate]
async fn asks_a_shared_cache(shared: &Shared, shift: usize) -> Result<bool, Cancelled> {
    for _ in 0..shift {
        cached(1).await?;
    }
    for _ in 0..1_000_000 {
        one_leaf().with(&shared.0).await?;
    }
    Ok(Ctx::current().is_done())
}

#[tokio::test]
async fn rule_3_2_14_a_deadline_is_seen_whichever_leaf_is_the_64th() {
    for shift in 0..4 {
        let ctx = root().with_timeout(Duration::from_millis(5));
        let shared = Shared(root());
        let outcome = asks_a_shared_cache(&shared, shift).with(&ctx).await;
        assert!(outcome.is_err(), "{shift}: {outcome:?}");
    }
}
