//! Leaves: how the end of a context unwinds `#[propagate]` code (`docs/semantics.md`, 3.2).

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use ctxprop::{Cancelled, Canceller, Cause, propagate};
use tokio::time::{Instant, sleep};

use crate::support::{Forever, Log, Wakes, poll_once, poll_with, root, secs};

pub(crate) type Polls = Arc<AtomicUsize>;

pub(crate) fn count(polls: &Polls) -> usize {
    polls.load(Ordering::SeqCst)
}

#[derive(Debug)]
pub(crate) enum AppError {
    Cancelled(Cancelled),
    Other,
}

impl From<Cancelled> for AppError {
    fn from(cancelled: Cancelled) -> Self {
        AppError::Cancelled(cancelled)
    }
}

pub(crate) type AppResult<T, E = AppError> = Result<T, E>;

#[propagate]
async fn ends_itself_then_awaits(canceller: Canceller, what: Forever) -> AppResult<()> {
    canceller.cancel();
    what.await;
    Err(AppError::Other)
}

#[test]
fn rule_3_2_6_a_leaf_that_starts_after_the_end_does_not_poll() {
    let (ctx, canceller) = root().with_cancel();
    let (forever, polls) = Forever::new();
    let mut call = pin!(ends_itself_then_awaits(canceller, forever).with(&ctx));
    let Poll::Ready(Err(AppError::Cancelled(cancelled))) = poll_once(call.as_mut()) else {
        panic!("it did not unwind")
    };
    assert_eq!((cancelled.cause(), count(&polls)), (&Cause::Cancelled, 0));
}

#[propagate]
pub(crate) async fn awaits<F: Future>(what: F) -> AppResult<F::Output> {
    Ok(what.await)
}

#[test]
fn rule_3_2_7_a_pending_leaf_polls_once_more_after_the_end_and_gives_up() {
    let (ctx, canceller) = root().with_cancel();
    let (forever, polls) = Forever::new();
    let mut call = pin!(awaits(forever).with(&ctx));
    assert!(poll_once(call.as_mut()).is_pending());
    assert!(poll_once(call.as_mut()).is_pending());
    canceller.cancel();
    assert_eq!(count(&polls), 2, "the end itself polls nothing");
    assert!(matches!(poll_once(call.as_mut()), Poll::Ready(Err(AppError::Cancelled(_)))));
    assert_eq!(count(&polls), 3);
}

#[test]
fn rule_3_2_7_what_is_ready_in_the_poll_that_sees_the_end_is_taken() {
    let (ctx, canceller) = root().with_cancel();
    let (send, receive) = tokio::sync::oneshot::channel();
    let mut call = pin!(awaits(receive).with(&ctx));
    assert!(poll_once(call.as_mut()).is_pending());
    send.send(7).unwrap();
    canceller.cancel();
    assert!(matches!(poll_once(call.as_mut()), Poll::Ready(Ok(Ok(7)))));
}

#[test]
fn rule_3_2_3_an_end_that_comes_during_a_poll_is_acted_on_without_another_wake() {
    let (ctx, canceller) = root().with_cancel();
    let (polls, counted) = (Polls::default(), Polls::default());
    let (wakes, waker) = Wakes::new();
    let ends = poll_fn({
        let counted = Arc::clone(&counted);
        move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            canceller.cancel();
            Poll::<()>::Pending
        }
    });
    let mut call = pin!(awaits(ends).with(&ctx));
    let polled = poll_with(call.as_mut(), &waker);
    // Ready in the same poll, or woken for the next: both keep the promise.
    assert!(polled.is_ready() || wakes.count() > 0);
    assert!(polled.is_ready() || poll_with(call.as_mut(), &waker).is_ready());
    polls.store(count(&counted), Ordering::SeqCst);
    assert_eq!(count(&polls), 2, "polled once after the end");
}

#[propagate]
async fn innermost(log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("innermost dropped");
    pending::<()>().await;
    log.note("never");
    Ok(())
}

#[propagate]
async fn middle(log: Log) -> AppResult<()> {
    let _guard = log.at_drop("middle dropped");
    let outcome = innermost(log.clone()).await;
    log.note(format!("middle saw {}", outcome.is_err()));
    outcome?;
    Ok(())
}

#[propagate]
async fn outermost(log: Log) -> std::io::Result<()> {
    let outcome = middle(log.clone()).await;
    log.note(format!("outermost saw {}", matches!(outcome, Err(AppError::Cancelled(_)))));
    sleep(secs(1)).await;
    log.note("never: a second leaf, after the end");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_8_inner_code_unwinds_before_outer_code() {
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(outermost(log.clone()));
    tokio::task::yield_now().await;
    canceller.cancel_with(Cause::Disconnected);
    let error = task.await.expect("it unwound, it was not dropped").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    assert_eq!(
        log.taken(),
        ["innermost dropped", "middle saw true", "middle dropped", "outermost saw true"]
    );
}

#[propagate]
async fn cannot_say(log: Log) -> u32 {
    let _guard = log.at_drop("carried code dropped");
    let inner = innermost(log.clone()).await;
    log.note(format!("carried code saw {}", inner.is_err()));
    pending::<()>().await;
    log.note("never");
    7
}

#[propagate]
async fn foreign_error(log: Log) -> Result<u32, std::fmt::Error> {
    Ok(cannot_say(log).await)
}

#[propagate]
async fn can_say(log: Log) -> AppResult<u32> {
    let outcome = foreign_error(log.clone()).await;
    log.note("never");
    outcome.map_err(|_| AppError::Other)
}

#[propagate]
async fn above(log: Log) -> AppResult<u32> {
    let outcome = can_say(log.clone()).await;
    log.note(format!("above saw {}", outcome.is_err()));
    outcome
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_16_code_that_cannot_say_cancelled_is_dropped_at_the_leaf_above() {
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(above(log.clone()));
    tokio::task::yield_now().await;
    canceller.cancel();
    assert!(matches!(task.await, Ok(Err(AppError::Cancelled(_)))));
    assert_eq!(
        log.taken(),
        ["innermost dropped", "carried code saw true", "carried code dropped", "above saw true"]
    );
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_16_code_that_cannot_say_cancelled_is_dropped_by_the_scope_where_no_leaf_is_above()
{
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(foreign_error(log.clone()));
    tokio::task::yield_now().await;
    canceller.cancel();
    assert_eq!(task.await.unwrap_err().cause(), &Cause::Cancelled);
    assert_eq!(log.taken().last().unwrap(), "carried code dropped");
}

#[propagate]
async fn handles(log: Log) -> AppResult<&'static str> {
    match innermost(log).await {
        Ok(()) => Ok("done"),
        Err(cancelled) if cancelled.is_deadline() => Ok("handled"),
        Err(other) => Err(other.into()),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_9_the_caller_of_what_unwound_may_handle_the_error() {
    let start = Instant::now();
    let ctx = root().with_timeout(secs(2));
    assert!(matches!(handles(Log::default()).with(&ctx).await, Ok("handled")));
    assert_eq!(start.elapsed(), secs(2));
}

/// A future that polls what it holds with a waker of its own each time: nobody knows its scope's.
struct OwnWaker<F>(Pin<Box<F>>);

impl<F: Future> Future for OwnWaker<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let outer = cx.waker().clone();
        let waker = crate::support::waker_fn(move || outer.wake_by_ref());
        poll_with(self.0.as_mut(), &waker)
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_2_a_scope_behind_a_waker_that_changes_at_every_poll_is_woken() {
    let (ctx, canceller) = root().with_cancel();
    let inner = ctx.run(OwnWaker(Box::pin(ctx.scope(awaits(pending::<()>())))));
    let task = tokio::spawn(inner);
    tokio::task::yield_now().await;
    canceller.cancel();
    assert!(matches!(task.await.unwrap(), Ok(Err(AppError::Cancelled(_)))));
}
