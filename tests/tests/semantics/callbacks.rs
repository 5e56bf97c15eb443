//! `on_done`: rule 3.1.7.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use ctxprop::{Cause, Ctx, Registration};
use tokio::sync::oneshot;
use tokio::time::{Instant, advance};

use crate::races::together;
use crate::support::{custom, no_hang, root, secs};

/// Registers a callback that sends the cause and the time it was called at.
fn tell(ctx: &Ctx) -> (Registration, oneshot::Receiver<(Cause, Instant)>) {
    let (tell, told) = oneshot::channel();
    let registration = ctx.on_done(move |cause| drop(tell.send((cause, Instant::now()))));
    (registration, told)
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_it_runs_once_after_a_cancel_with_the_cause() {
    let (ctx, canceller) = root().with_cancel();
    let cause = custom("why");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let (registration, told) = tell(&ctx.with_value(1_u8).with_cancel().0);
    ctx.on_done(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    canceller.cancel_with(cause.clone());
    canceller.cancel();
    assert_eq!(no_hang(told).await.unwrap().0, cause);
    tokio::task::yield_now().await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(!registration.stop(), "too late");
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_it_runs_on_time_at_a_deadline_that_nobody_else_waits_for() {
    let start = Instant::now();
    let parent = root().with_timeout(secs(5));
    for ctx in [parent.clone(), parent.with_value(1_u8), parent.with_cancel().0] {
        let (_registration, told) = tell(&ctx);
        let (cause, at) = told.await.unwrap();
        assert_eq!(cause, Cause::DeadlineExceeded);
        assert_eq!(at - start, secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_it_runs_at_once_where_the_end_has_come() {
    let (ctx, canceller) = root().with_cancel();
    canceller.cancel_with(Cause::Finished);
    let (registration, told) = tell(&ctx);
    assert_eq!(no_hang(told).await.unwrap().0, Cause::Finished);
    assert!(!registration.stop());
    let expired = root().with_timeout(secs(1));
    advance(secs(2)).await;
    let (registration, told) = tell(&expired);
    assert_eq!(told.await.unwrap().0, Cause::DeadlineExceeded);
    assert!(!registration.stop());
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_a_stopped_callback_is_dropped_and_never_runs() {
    let (ctx, canceller) = root().with_timeout(secs(3)).with_cancel();
    let (registration, told) = tell(&ctx);
    assert!(registration.stop());
    assert!(!registration.stop(), "true once");
    assert!(told.await.is_err(), "the callback and what it holds are gone");
    let (registration, told) = tell(&ctx);
    canceller.cancel();
    assert!(!registration.stop(), "the end came first");
    assert!(told.await.is_ok());
    advance(secs(9)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_stopping_one_leaves_the_others() {
    let (ctx, canceller) = root().with_cancel();
    let (first, first_told) = tell(&ctx);
    let (_second, second_told) = tell(&ctx);
    let (third, third_told) = tell(&ctx);
    assert!(third.stop() && first.stop());
    let (_fourth, fourth_told) = tell(&ctx);
    canceller.cancel();
    assert!(first_told.await.is_err() && third_told.await.is_err());
    assert!(second_told.await.is_ok() && fourth_told.await.is_ok());
}

#[test]
fn rule_3_1_7_on_a_context_that_cannot_end_stop_is_true_once() {
    let registration = root().on_done(|_| unreachable!("a root does not end"));
    assert!(registration.stop());
    assert!(!registration.stop());
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_dropping_the_registration_leaves_the_callback() {
    let (ctx, canceller) = root().with_cancel();
    let (registration, told) = tell(&ctx);
    drop(registration);
    canceller.cancel();
    assert!(told.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_a_panicking_callback_breaks_nothing() {
    let (ctx, canceller) = root().with_cancel();
    let (_before, before) = tell(&ctx);
    ctx.on_done(|_| panic!("a callback of a test"));
    let (_after, after) = tell(&ctx);
    let (_below, below) = tell(&ctx.with_cancel().0);
    canceller.cancel();
    for told in [before, after, below] {
        assert_eq!(told.await.unwrap().0, Cause::Cancelled);
    }
    let (_late, late) = tell(&ctx);
    assert!(late.await.is_ok());
}

#[test]
fn rule_3_1_7_outside_of_a_runtime_a_panicking_callback_breaks_nothing() {
    let (ctx, canceller) = root().with_cancel();
    let (tell, told) = mpsc::channel();
    ctx.on_done(|_| panic!("a callback of a test"));
    ctx.on_done(move |cause| tell.send(cause).unwrap());
    canceller.cancel();
    assert_eq!(told.recv(), Ok(Cause::Cancelled));
    assert!(ctx.is_done());
}

#[test]
fn rule_3_1_7_cancel_does_not_wait_for_a_callback_that_blocks() {
    let in_runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for runtime in [None, Some(in_runtime.handle())] {
        let (ctx, canceller) = root().with_cancel();
        let (go, wait) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let entered = runtime.map(tokio::runtime::Handle::enter);
        ctx.on_done(move |_| {
            wait.recv().unwrap();
            tell.send(()).unwrap();
        });
        drop(entered);
        canceller.cancel();
        assert!(told.try_recv().is_err(), "it is still blocked");
        go.send(()).unwrap();
        told.recv().unwrap();
    }
}

#[test]
fn rule_3_1_7_outside_of_a_runtime_a_passed_deadline_is_told_when_somebody_looks() {
    let ctx = root().with_timeout(std::time::Duration::from_nanos(1));
    let later = root().with_timeout(secs(3_600));
    let (tell, told) = mpsc::channel();
    let twin = tell.clone();
    ctx.on_done(move |cause| tell.send(cause).unwrap());
    let registration = later.on_done(move |cause| twin.send(cause).unwrap());
    while !ctx.is_done() {
        std::thread::yield_now();
    }
    assert_eq!(told.recv(), Ok(Cause::DeadlineExceeded));
    assert!(!later.is_done() && registration.stop());
}

/// Nobody looks: in the first the callback is a task of the runtime, in the second it is nobody's.
#[test]
fn rule_3_1_7_without_timers_it_runs_at_the_deadline_all_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cause = runtime.block_on(async {
        let ctx = root().with_timeout(std::time::Duration::from_millis(5));
        tell(&ctx).1.await.unwrap().0
    });
    assert_eq!(cause, Cause::DeadlineExceeded);
    let ctx = root().with_timeout(std::time::Duration::from_millis(5));
    let (tell, told) = mpsc::channel();
    ctx.on_done(move |cause| tell.send(cause).unwrap());
    assert_eq!(told.recv(), Ok(Cause::DeadlineExceeded));
}

#[test]
fn rule_3_1_7_a_runtime_that_nobody_drives_does_not_keep_another_from_the_deadline() {
    let idle = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let driven = tokio::runtime::Builder::new_current_thread();
    let driven = { driven }.enable_time().start_paused(true).build().unwrap();
    driven.block_on(async {
        let ctx = root().with_timeout(secs(5));
        let first = {
            let _entered = idle.enter();
            tell(&ctx).0
        };
        let told = no_hang(tell(&ctx).1).await.unwrap();
        assert_eq!(told.0, Cause::DeadlineExceeded);
        assert!(!first.stop(), "it is called in the runtime that nobody drives");
    });
}

#[test]
fn rule_3_1_7_a_runtime_shut_down_before_the_end_still_runs_it_once() {
    let runtimes = [
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap(),
        tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap(),
    ];
    for runtime in runtimes {
        let (ctx, canceller) = root().with_timeout(secs(3_600)).with_cancel();
        let (tell, told) = mpsc::channel();
        runtime.block_on(async {
            ctx.on_done(move |cause| tell.send(cause).unwrap());
        });
        drop(runtime);
        assert!(told.try_recv().is_err(), "the end has not come");
        assert!(!ctx.is_done());
        canceller.cancel();
        assert_eq!(told.recv(), Ok(Cause::Cancelled));
        assert!(told.recv().is_err(), "a second call");
    }
}

#[test]
fn rule_3_1_7_a_runtime_shut_down_between_the_end_and_the_call_still_runs_it_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (ctx, canceller) = root().with_cancel();
    let (tell, told) = mpsc::channel();
    runtime.block_on(async {
        ctx.on_done(move |cause| tell.send(cause).unwrap());
    });
    // Queued on a runtime that nobody drives any more.
    canceller.cancel();
    assert!(told.try_recv().is_err());
    drop(runtime);
    assert_eq!(told.recv(), Ok(Cause::Cancelled));
    assert!(told.recv().is_err(), "a second call");
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_7_a_callback_may_use_its_context_and_register_another() {
    let (ctx, canceller) = root().with_cancel();
    let (tell, told) = oneshot::channel();
    let inner = ctx.clone();
    ctx.on_done(move |_| {
        assert!(inner.is_done() && inner.with_cancel().0.is_done());
        inner.on_done(move |cause| drop(tell.send(cause)));
    });
    canceller.cancel();
    assert_eq!(told.await, Ok(Cause::Cancelled));
}

// Fails where the task that drives the timer for a callback keeps the context, and itself, until the
// deadline, although the callback was stopped.
#[tokio::test(start_paused = true)]
async fn rule_3_1_7_a_stopped_callback_does_not_keep_its_context_until_the_deadline() {
    let value = Arc::new(());
    let ctx = root().with_value(Arc::clone(&value)).with_timeout(secs(3_600));
    assert!(ctx.on_done(|_| {}).stop());
    drop(ctx);
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&value), 1, "an hour early, somebody holds the context");
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[test]
fn rule_3_1_7_stop_racing_the_end_is_true_exactly_when_the_callback_never_runs() {
    for _ in 0..500 {
        let (ctx, canceller) = root().with_cancel();
        let (tell, told) = std::sync::mpsc::channel();
        let registration = ctx.on_done(move |cause| tell.send(cause).unwrap());
        let (stop, ()) = together(|| registration.stop(), || canceller.cancel());
        // Its sender is used once or dropped unused: no need to guess how long to wait.
        let called = told.recv().is_ok();
        assert_eq!(stop, !called);
        assert!(told.recv().is_err(), "a second call");
        assert!(!registration.stop(), "true at most once");
    }
}

#[test]
fn rule_3_1_7_a_callback_registered_during_the_end_runs_once() {
    for _ in 0..500 {
        let (ctx, canceller) = root().with_cancel();
        let (tell, told) = std::sync::mpsc::channel();
        together(
            || drop(ctx.on_done(move |cause| tell.send(cause).unwrap())),
            || canceller.cancel(),
        );
        assert_eq!(told.recv().ok(), Some(Cause::Cancelled));
        assert!(told.recv().is_err(), "a second call");
    }
}
