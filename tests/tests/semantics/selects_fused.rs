//! `futures::select!` and `select_biased!` in `#[propagate]` code (`docs/semantics.md`, 3.2): as tokio's, one leaf; its branches
//! are fused, and may have terminated.

use std::future::{Future, IntoFuture, pending, ready};
use std::pin::{Pin, pin};
use std::task::Poll;

use ctxprop::{Cancelled, Ctx, propagate};
use futures::FutureExt;
use futures::future::Fuse;
use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use crate::selects::{TRIES, unwinds_at_its_deadline};
use crate::support::{Log, no_hang, poll_once, root, secs};

/// A call that was given its context, as a branch wants it.
fn fused<F: Future>(call: F) -> Fuse<Pin<Box<F>>> {
    Box::pin(call).fuse()
}

async fn held(log: Log) {
    let _guard = log.at_drop("foreign dropped");
    pending::<()>().await;
}

#[propagate]
async fn inner(log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("inner dropped");
    pending::<()>().await;
    Ok(())
}

#[propagate]
async fn unwinds(log: Log) -> Result<&'static str, Cancelled> {
    let _guard = log.at_drop("outer dropped");
    let mut call = fused(inner(log.clone()).with(&Ctx::current()));
    futures::select! {
        outcome = call => {
            log.note(format!("handler {}", outcome.is_err()));
            outcome?;
            Ok("never")
        }
        () = fused(pending()) => Ok("never"),
    }
}

#[test]
fn rule_3_2_23_a_fused_branch_that_unwinds_is_ready_and_its_handler_runs() {
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
        let notes = ["handler true", "inner dropped", "outer dropped"];
        let mut taken = log.taken();
        taken.sort_unstable();
        assert_eq!(taken, notes);
    }
}

/// Awaits a `select!` whose branches stay pending, by name and by value, beside one that has terminated.
#[propagate]
async fn gives_up(log: Log) -> Result<&'static str, Cancelled> {
    let _guard = log.at_drop("outer dropped");
    let mut over = ready(()).fuse();
    (&mut over).await;
    let mut named = fused(pending::<()>());
    futures::select! {
        () = fused(held(log.clone())) => Ok("never"),
        () = over => Ok("never"),
        () = named => Ok("never"),
    }
}

#[propagate]
async fn gives_up_in_order(log: Log) -> Result<&'static str, Cancelled> {
    let _guard = log.at_drop("outer dropped");
    futures::select_biased! {
        () = fused(held(log.clone())) => Ok("never"),
        complete => Ok("never"),
    }
}

#[propagate]
async fn caller(log: Log) -> Result<&'static str, Cancelled> {
    let outcome = gives_up(log.clone()).await;
    log.note("the caller saw it");
    outcome
}

// Fails where `select!` of futures has no branch for the end: it waits until what encloses it drops it, or forever.
#[tokio::test(start_paused = true)]
async fn rule_3_2_23_a_fused_select_whose_branches_stay_pending_unwinds() {
    let notes = ["foreign dropped", "outer dropped"];
    let call = |ctx: Ctx, log| async move { ctx.scope(gives_up(log)).await };
    unwinds_at_its_deadline(call, &notes).await;
    let in_order = |ctx: Ctx, log| async move { ctx.scope(gives_up_in_order(log)).await };
    unwinds_at_its_deadline(in_order, &notes).await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_8_a_fused_select_unwinds_before_what_encloses_it() {
    let call = |ctx: Ctx, log| async move { ctx.scope(caller(log)).await };
    unwinds_at_its_deadline(call, &["foreign dropped", "outer dropped", "the caller saw it"]).await;
    let notes = ["foreign dropped", "outer dropped"];
    let run = |ctx: Ctx, log| async move { ctx.run(gives_up(log)).await.expect("it was dropped") };
    unwinds_at_its_deadline(run, &notes).await;
}

#[propagate]
async fn selects_in_a_loop(log: Log) -> Result<usize, Cancelled> {
    let mut numbers = stream::iter([1, 2]).chain(stream::pending::<usize>()).fuse();
    let mut more = stream::iter([3]).fuse();
    let mut sum = 0;
    loop {
        futures::select! {
            n = numbers.select_next_some() => sum += n,
            n = more.next() => sum += n.unwrap_or_default(),
        }
        log.note(sum.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_a_fused_select_in_a_loop_unwinds_in_the_round_that_waits() {
    for _ in 0..TRIES {
        let ctx = root().with_timeout(secs(1));
        let log = Log::default();
        assert!(no_hang(ctx.scope(selects_in_a_loop(log.clone()))).await.is_err());
        assert_eq!(log.taken().last().map(String::as_str), Some("6"));
    }
}

/// All branches have terminated, so that `complete` is what is left, whether the context has ended or not.
#[propagate]
async fn completes(end: bool) -> Result<&'static str, Cancelled> {
    let (ctx, canceller) = Ctx::current().with_cancel();
    ctx.scope(completes_under(end.then_some(canceller))).await
}

#[propagate]
async fn completes_under(canceller: Option<ctxprop::Canceller>) -> Result<&'static str, Cancelled> {
    let mut over = ready(()).fuse();
    (&mut over).await;
    let mut ends = fused(async move {
        canceller.iter().for_each(ctxprop::Canceller::cancel);
    });
    loop {
        futures::select! {
            () = over => return Ok("never"),
            () = ends => {}
            complete => return Ok("complete"),
        }
    }
}

#[tokio::test]
async fn rule_3_2_19_complete_comes_as_it_would() {
    for _ in 0..TRIES {
        assert_eq!(no_hang(completes(false).with(&root())).await.ok(), Some("complete"));
        // The second round does not start: it is a leaf.
        assert!(no_hang(completes(true).with(&root())).await.is_err());
    }
}

#[propagate]
async fn looks_once(canceller: Option<ctxprop::Canceller>) -> Result<&'static str, Cancelled> {
    canceller.iter().for_each(ctxprop::Canceller::cancel);
    futures::select! {
        () = fused(pending()) => Ok("never"),
        default => Ok("default"),
    }
}

#[tokio::test]
async fn rule_3_2_19_a_fused_select_with_a_default_does_not_wait_for_the_end() {
    let (ctx, canceller) = root().with_cancel();
    assert_eq!(looks_once(None).with(&ctx).await.ok(), Some("default"));
    assert!(looks_once(Some(canceller)).with(&ctx).await.is_err());
}

#[propagate]
async fn shields(log: Log) -> Result<&'static str, Cancelled> {
    let cleanup = async {
        tokio::time::sleep(secs(2)).await;
        log.note("cleaned up");
    };
    futures::select! {
        _ = fused(Ctx::current().shield(secs(5), cleanup).into_future()) => Ok("done"),
        () = fused(pending()) => Ok("never"),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_40_a_shield_in_a_fused_branch_holds_the_select() {
    for _ in 0..TRIES {
        let (log, start) = (Log::default(), Instant::now());
        let ctx = root().with_timeout(secs(1));
        assert_eq!(no_hang(ctx.scope(shields(log.clone()))).await.ok(), Some("done"));
        assert_eq!((start.elapsed(), log.taken()), (secs(2), vec!["cleaned up".to_owned()]));
    }
}

#[propagate]
async fn threaded_only() -> &'static str {
    futures::select! {
        () = fused(pending()) => "never",
        () = fused(tokio::time::sleep(secs(2))) => "slept",
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_25_a_fused_select_of_a_function_that_cannot_say_so_is_not_interrupted() {
    let ctx = root().with_timeout(secs(1));
    assert_eq!(no_hang(ctx.scope(threaded_only())).await, "slept");
}

fn _select_is_send(log: Log) -> impl Future<Output = Result<&'static str, Cancelled>> + Send {
    gives_up(log).with(&root())
}
