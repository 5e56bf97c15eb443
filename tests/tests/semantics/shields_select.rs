//! Shields in the branches of `select!`, polled there by value and by reference: they hold it while they are active, and
//! free it the moment they are not.

use std::future::{IntoFuture, pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use ctxprop::{Cancelled, Ctx, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::shields::{Boxed, Case, settle};
use crate::shields_move::{HandsOver, drop_output};
use crate::support::{no_hang, root, secs};

/// What is random inside `select!` is tried this often.
const TRIES: usize = 32;

#[propagate]
async fn looped(case: Arc<Case>, mut ticks: mpsc::Receiver<()>) -> Result<usize, Cancelled> {
    let mut work = pin!(case.shielded());
    let mut seen = 0;
    loop {
        tokio::select! {
            outcome = &mut work => {
                outcome?;
                return Ok(seen);
            }
            Some(()) = ticks.recv() => seen += 1,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_42_a_shield_polled_by_reference_in_a_loop_of_selects_is_held() {
    for _ in 0..TRIES {
        let case = Arc::new(Case::new());
        let (tick, ticks) = mpsc::channel(9);
        let task = case.ctx.spawn(looped(Arc::clone(&case), ticks));
        for _ in 0..3 {
            settle().await;
            tick.send(()).await.unwrap();
        }
        assert_eq!(case.holds(task).await.unwrap(), Ok(3));
        assert_eq!(case.log.taken()[0], "shield done");
    }
}

// Fails where the select that began before the end is left for its other branch, and the
// next one finds the end at its start and polls nothing: the active shield, held by reference, is dropped.
#[tokio::test(start_paused = true)]
async fn rule_3_2_42_a_shield_by_reference_is_held_although_another_branch_was_chosen_after_the_end()
 {
    for _ in 0..TRIES {
        let case = Arc::new(Case::new());
        let (tick, ticks) = mpsc::channel(9);
        let task = case.ctx.spawn(looped(Arc::clone(&case), ticks));
        settle().await;
        case.canceller.cancel();
        tick.send(()).await.unwrap();
        settle().await;
        assert!(!task.is_finished(), "dropped while active: {:?}", case.log.taken());
        case.go.notify_waiters();
        assert!(no_hang(task).await.is_ok());
    }
}

#[propagate]
async fn select_of_shields(case: Arc<Case>) -> Result<&'static str, Cancelled> {
    let slow = Ctx::current().shield(secs(100), pending::<()>());
    tokio::select! {
        outcome = case.shielded() => outcome.map(|()| "first"),
        outcome = slow => outcome.map(|()| "never"),
        () = pending() => Ok("never"),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_40_shields_in_branches_hold_the_select_and_the_first_to_finish_is_taken() {
    for _ in 0..TRIES {
        let case = Arc::new(Case::new());
        let task = case.ctx.spawn(select_of_shields(Arc::clone(&case)));
        assert_eq!(case.holds(task).await.unwrap(), Ok("first"));
    }
}

/// Pending until the flag is set, and wakes nobody.
async fn flagged(flag: Arc<AtomicBool>) {
    poll_fn(|_| if flag.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[propagate]
async fn shield_that_leaves(
    let_go: oneshot::Receiver<()>,
    finishes: bool,
) -> Result<&'static str, Cancelled> {
    let ctx = Ctx::current();
    tokio::select! {
        never = async {
            let flag = Arc::new(AtomicBool::new(false));
            {
                let mut shield = pin!(ctx.shield(secs(1_000_000_000), flagged(Arc::clone(&flag))).into_future());
                // That of another crate: it lets the first one cut the other short, whatever that holds.
                futures::future::select(&mut shield, let_go).await;
                if finishes {
                    flag.store(true, Ordering::SeqCst);
                    let _done = shield.await;
                }
            }
            pending::<&'static str>().await
        } => Ok(never),
        () = pending() => Ok("never"),
    }
}

async fn shield_leaves_a_branch(finishes: bool) {
    for _ in 0..TRIES {
        let (ctx, canceller) = root().with_cancel();
        let (let_go, gone) = oneshot::channel();
        // In a plain scope: a backstop would drop the whole in the same poll.
        let task = tokio::spawn(shield_that_leaves(gone, finishes).with(&ctx));
        settle().await;
        canceller.cancel();
        settle().await;
        assert!(!task.is_finished(), "the shield is active");
        let_go.send(()).unwrap();
        let start = Instant::now();
        assert!(no_hang(task).await.unwrap().is_err());
        assert_eq!(start.elapsed(), secs(0));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_41_a_shield_polled_and_dropped_in_one_poll_of_a_select_branch_frees_it() {
    shield_leaves_a_branch(false).await;
}

// Fails where the end was asked before the branch in that poll and found a shield; the branch polled the
// shield (so the mark moved), and then finished it; nobody wakes the end to look again.
#[tokio::test(start_paused = true)]
async fn rule_3_2_41_a_shield_polled_and_finished_in_one_poll_of_a_select_branch_frees_it() {
    shield_leaves_a_branch(true).await;
}

#[propagate]
async fn finishes_in_a_branch(case: Arc<Case>) -> Result<&'static str, Cancelled> {
    tokio::select! {
        never = async {
            let _outcome = case.shielded().await;
            pending::<&'static str>().await
        } => Ok(never),
        () = pending() => Ok("never"),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_a_branch_that_waits_on_after_its_shield_finished_is_given_up() {
    for _ in 0..TRIES {
        let case = Arc::new(Case::new());
        let call = finishes_in_a_branch(Arc::clone(&case)).with(&case.ctx);
        let task = case.ctx.detach("no backstop around the call").spawn(call);
        assert!(case.holds(task).await.unwrap().is_err());
        assert_eq!(case.log.taken()[2], "after the shield");
    }
}

#[propagate]
async fn hands_over_in_a_branch(what: HandsOver) -> Result<(), Cancelled> {
    tokio::select! {
        () = what => Ok(()),
        () = pending() => Ok(()),
    }
}

// Fails where a `select!` takes a shield that a branch polled once for one that this branch still polls, and leaves
// no waker with it.
#[tokio::test(start_paused = true)]
async fn rule_3_2_41_a_shield_handed_to_another_task_frees_the_select_at_the_latest_when_it_ends() {
    for _ in 0..TRIES {
        let case = Case::new();
        let (give, take) = oneshot::channel();
        let work = case.shielded();
        let what = HandsOver(Some(Box::pin(async move { drop(work.await) })), Some(give));
        // In a plain scope: a backstop around it leaves a waker of its own.
        let giver = tokio::spawn(hands_over_in_a_branch(what).with(&case.ctx));
        let taker = tokio::spawn(async move { take.await.unwrap().await });
        settle().await;
        case.canceller.cancel();
        settle().await;
        assert!(!giver.is_finished());
        case.go.notify_waiters();
        no_hang(taker).await.unwrap();
        assert!(no_hang(giver).await.unwrap().is_err());
    }
}

#[propagate]
async fn begun_in_a_branch(case: Arc<Case>) -> Result<(), Cancelled> {
    let mut work: Boxed<_> = Box::pin(case.shielded());
    tokio::select! {
        biased;
        () = poll_fn(|cx| {
            assert!(work.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }) => {}
        () = pending() => {}
    }
    tokio::task::yield_now().await;
    pending::<()>().await;
    work.await
}

// Fails where a `select!` hands over what it saw in earlier polls, but not what it saw in the one in which a branch is
// ready.
#[tokio::test(start_paused = true)]
async fn rule_3_2_41_a_shield_first_polled_in_the_poll_in_which_its_branch_is_ready_is_held() {
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(begun_in_a_branch(Arc::clone(&case)));
    settle().await;
    case.canceller.cancel();
    settle().await;
    assert!(!task.is_finished(), "the shield was dropped: {:?}", case.log.taken());
}

#[propagate]
async fn takes_the_first(
    mut all: FuturesUnordered<Boxed<()>>,
) -> Result<FuturesUnordered<Boxed<()>>, Cancelled> {
    all.next().await;
    Ok(all)
}

#[propagate]
async fn selects_between_two_leaves(all: FuturesUnordered<Boxed<()>>) -> usize {
    let Ok(all) = takes_the_first(all).await else { return 0 };
    tokio::select! {
        () = ready(()) => {}
        () = pending() => {}
    }
    let Ok(all) = takes_the_first(all).await else { return 1 };
    2 + all.len()
}

// Fails where the `select!` of a function that is not interrupted takes over what the leaf before handed on, and
// drops it.
#[tokio::test(start_paused = true)]
async fn rule_3_2_42_a_select_that_is_no_leaf_does_not_take_the_shields_from_the_next_leaf() {
    let case = Case::new();
    let all = FuturesUnordered::<Boxed<()>>::new();
    all.push(Box::pin(drop_output(case.shielded())));
    let (go, gone) = oneshot::channel::<()>();
    all.push(Box::pin(drop_output(gone)));
    let task = tokio::spawn(selects_between_two_leaves(all).with(&case.ctx));
    settle().await;
    case.canceller.cancel();
    drop(go);
    settle().await;
    assert!(!task.is_finished(), "the shield was dropped: {:?}", case.log.taken());
    case.go.notify_waiters();
    assert_eq!(no_hang(task).await.unwrap(), 2);
}
