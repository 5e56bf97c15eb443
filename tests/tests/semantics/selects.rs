//! `tokio::select!` in `#[propagate]` code (`docs/semantics.md`, 3.2): its branches together are one leaf.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use ctxprop::{Cancelled, Canceller, Cause, Ctx, propagate};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::support::{Forever, Log, no_hang, poll_once, root, secs};

/// Random order is part of `select!`: what must hold for each is tried this often.
pub(crate) const TRIES: usize = 64;

#[propagate]
async fn inner(log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("inner dropped");
    pending::<()>().await;
    Ok(())
}

#[propagate]
async fn unwinds(log: Log) -> Result<&'static str, Cancelled> {
    let _guard = log.at_drop("outer dropped");
    tokio::select! {
        outcome = inner(log.clone()) => {
            log.note(format!("handler {}", outcome.is_err()));
            outcome?;
            Ok("never")
        }
        () = pending() => Ok("never"),
    }
}

/// Awaits a `select!` whose branches stay pending.
#[propagate]
async fn gives_up(log: Log) -> Result<&'static str, Cancelled> {
    let _guard = log.at_drop("outer dropped");
    tokio::select! {
        () = held(&log) => Ok("never"),
        () = pending() => Ok("never"),
    }
}

#[propagate]
async fn caller(log: Log) -> Result<&'static str, Cancelled> {
    let outcome = gives_up(log.clone()).await;
    log.note("the caller saw it");
    outcome
}

async fn held(log: &Log) {
    let _guard = log.at_drop("foreign dropped");
    pending::<()>().await;
}

#[test]
fn rule_3_2_23_a_branch_that_unwinds_is_ready_and_its_handler_runs() {
    for _ in 0..TRIES {
        let (ctx, canceller) = root().with_cancel();
        let log = Log::default();
        let mut call = pin!(ctx.run(unwinds(log.clone())));
        assert!(poll_once(call.as_mut()).is_pending());
        canceller.cancel();
        let mut polled = poll_once(call.as_mut());
        while polled.is_pending() {
            polled = poll_once(call.as_mut());
        }
        assert!(matches!(polled, Poll::Ready(Ok(Err(_)))), "dropped, not unwound");
        assert_eq!(log.taken(), ["inner dropped", "handler true", "outer dropped"]);
    }
}

/// Waits for `call` under a deadline and looks at how it ended.
pub(crate) async fn unwinds_at_its_deadline<F>(call: impl Fn(Ctx, Log) -> F, notes: &[&str])
where
    F: Future<Output = Result<&'static str, Cancelled>>,
{
    for _ in 0..TRIES {
        let (log, start) = (Log::default(), Instant::now());
        let ctx = root().with_timeout(secs(3));
        assert!(no_hang(call(ctx, log.clone())).await.unwrap_err().is_deadline());
        assert_eq!(start.elapsed(), secs(3));
        assert_eq!(log.taken(), notes);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_a_select_whose_branches_stay_pending_unwinds() {
    let call = |ctx: Ctx, log| async move { ctx.scope(gives_up(log)).await };
    unwinds_at_its_deadline(call, &["foreign dropped", "outer dropped"]).await;
}

// Fails where the branch for the end is taken in a later poll than the one that saw it; but whatever
// encloses the `select!`, a leaf or a backstop, gives it up in the first one: it is dropped, and does not unwind.
#[tokio::test(start_paused = true)]
async fn rule_3_2_8_a_select_under_an_enclosing_leaf_unwinds_before_that_leaf() {
    let call = |ctx: Ctx, log| async move { ctx.scope(caller(log)).await };
    unwinds_at_its_deadline(call, &["foreign dropped", "outer dropped", "the caller saw it"]).await;
}

// Fails where the same, with the backstop.
#[tokio::test(start_paused = true)]
async fn rule_3_2_35_a_select_under_run_or_spawn_unwinds_before_the_backstop() {
    let notes = ["foreign dropped", "outer dropped"];
    let run = |ctx: Ctx, log| async move { ctx.run(gives_up(log)).await.expect("it was dropped") };
    unwinds_at_its_deadline(run, &notes).await;
    let task =
        |ctx: Ctx, log| async move { ctx.spawn(gives_up(log)).await.expect("it was dropped") };
    unwinds_at_its_deadline(task, &notes).await;
}

#[propagate]
async fn ends_and_selects(canceller: Canceller, forever: Forever) -> Result<(), Cancelled> {
    canceller.cancel();
    tokio::select! {
        () = forever => Ok(()),
        () = pending() => Ok(()),
    }
}

#[test]
fn rule_3_2_19_a_select_that_starts_after_the_end_polls_no_branch() {
    let (ctx, canceller) = root().with_cancel();
    let (forever, polls) = Forever::new();
    let mut call = pin!(ends_and_selects(canceller, forever).with(&ctx));
    assert!(matches!(poll_once(call.as_mut()), Poll::Ready(Err(_))));
    assert_eq!(polls.load(Ordering::SeqCst), 0);
}

#[propagate]
async fn ends_in_a_branch(canceller: Canceller, log: Log) -> Result<(), Cancelled> {
    let mut polls = 0;
    let ends = poll_fn(|_| {
        polls += 1;
        if polls == 2 {
            canceller.cancel();
        }
        Poll::<()>::Pending
    });
    tokio::select! {
        outcome = inner(log.clone()) => {
            log.note("handler");
            outcome
        }
        () = ends => Ok(()),
    }
}

// Fails where the end comes after one branch was polled and before the end is looked at, and the next poll takes
// it first: that branch was never polled after the end, and is dropped where it stands.
#[test]
fn rule_3_2_23_a_branch_unwinds_also_where_the_end_came_within_a_poll_of_the_select() {
    for _ in 0..TRIES {
        let ((ctx, canceller), log) = (root().with_cancel(), Log::default());
        let mut call = pin!(ends_in_a_branch(canceller, log.clone()).with(&ctx));
        assert!(poll_once(call.as_mut()).is_pending());
        while poll_once(call.as_mut()).is_pending() {}
        assert_eq!(log.taken(), ["inner dropped", "handler"]);
    }
}

#[propagate]
async fn takes_what_is_ready(receive: oneshot::Receiver<u8>) -> Result<u8, Cancelled> {
    tokio::select! {
        Ok(n) = receive => Ok(n),
        () = pending() => Ok(0),
    }
}

#[test]
fn rule_3_2_7_a_branch_ready_in_the_poll_that_sees_the_end_is_taken() {
    for _ in 0..TRIES {
        let (ctx, canceller) = root().with_cancel();
        let (send, receive) = oneshot::channel();
        let mut call = pin!(takes_what_is_ready(receive).with(&ctx));
        assert!(poll_once(call.as_mut()).is_pending());
        send.send(7).unwrap();
        canceller.cancel();
        assert!(matches!(poll_once(call.as_mut()), Poll::Ready(Ok(7))));
    }
}

#[propagate]
async fn by_reference(
    mut ticks: mpsc::Receiver<()>,
    polls: Arc<AtomicUsize>,
) -> Result<usize, Cancelled> {
    let mut work = pin!(async move {
        let mut forever = Forever(polls);
        pin!(&mut forever).await;
    });
    let mut seen = 0;
    loop {
        tokio::select! {
            () = &mut work => return Ok(seen),
            Some(()) = ticks.recv() => seen += 1,
            else => return Ok(seen),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_branches_by_reference_keep_their_future_and_unwind_in_a_later_select() {
    let (send, receive) = mpsc::channel(9);
    let (ctx, canceller) = root().with_cancel();
    let polls = Arc::new(AtomicUsize::new(0));
    let task = tokio::spawn(by_reference(receive, Arc::clone(&polls)).with(&ctx));
    for _ in 0..5 {
        send.send(()).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(polls.load(Ordering::SeqCst) > 0);
    canceller.cancel_with(Cause::Shutdown);
    let outcome = no_hang(task).await.unwrap();
    assert_eq!(outcome.unwrap_err().cause(), &Cause::Shutdown);
}

#[propagate]
async fn cannot_say(log: Log) -> u32 {
    let _guard = log.at_drop("dropped");
    tokio::select! {
        outcome = inner(log.clone()) => log.note(format!("handler {}", outcome.is_err())),
        () = pending() => {}
    }
    pending().await
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_25_in_code_that_cannot_say_cancelled_the_branches_still_unwind() {
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(cannot_say(log.clone()));
    tokio::task::yield_now().await;
    canceller.cancel();
    assert!(no_hang(task).await.is_err());
    assert_eq!(log.taken(), ["inner dropped", "handler true", "dropped"]);
}

fn _select_is_send(log: Log) -> impl Future<Output = Result<&'static str, Cancelled>> + Send {
    gives_up(log).with(&root())
}
