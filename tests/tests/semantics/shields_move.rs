//! Shields that change their place: from one leaf to another, into branches of `select!`, between threads.

use std::future::{Future, IntoFuture, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use ctxprop::{Cancelled, Ctx, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::shields::{Boxed, Case, settle};
use crate::support::{Log, no_hang, poll_once, root, secs};

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
async fn rule_3_2_a_shield_polled_by_reference_in_a_loop_of_selects_is_held() {
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
async fn rule_3_2_a_shield_by_reference_is_held_although_another_branch_was_chosen_after_the_end() {
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
async fn two_leaves(case: Arc<Case>) -> Result<(), Cancelled> {
    let mut work: Boxed<_> = Box::pin(case.shielded());
    // The first leaf polls it once, the second waits for it.
    poll_fn(|cx| {
        assert!(work.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    tokio::task::yield_now().await;
    work.await
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_a_shield_that_moved_from_one_leaf_to_the_next_is_held() {
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(two_leaves(Arc::clone(&case)));
    assert!(matches!(case.holds(task).await, Ok(Ok(()))));
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
async fn rule_3_2_shields_in_branches_hold_the_select_and_the_first_to_finish_is_taken() {
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
                tokio::select! {
                    biased;
                    _ = &mut shield => {}
                    _ = let_go => {}
                }
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
async fn rule_3_2_a_shield_polled_and_dropped_in_one_poll_of_a_select_branch_frees_it() {
    shield_leaves_a_branch(false).await;
}

// Fails where the end was asked before the branch in that poll and found a shield; the branch polled the
// shield (so the mark moved), and then finished it; nobody wakes the end to look again.
#[tokio::test(start_paused = true)]
async fn rule_3_2_a_shield_polled_and_finished_in_one_poll_of_a_select_branch_frees_it() {
    shield_leaves_a_branch(true).await;
}

// Fails where a shield that is held but no longer polled counts as active after its limit, since only its
// flag is looked at and nobody sets that: the end of the context never comes through.
#[tokio::test(start_paused = true)]
async fn rule_3_2_a_shield_that_is_not_polled_any_more_holds_no_longer_than_its_limit() {
    let start = Instant::now();
    let (ctx, canceller) = root().with_cancel();
    let inside = ctx.clone();
    let task = ctx.spawn(async move {
        let mut shield = Box::pin(inside.shield(secs(5), pending::<()>()).into_future());
        assert!(futures::poll!(shield.as_mut()).is_pending());
        pending::<()>().await;
        drop(shield);
    });
    settle().await;
    canceller.cancel();
    assert!(no_hang(task).await.is_err());
    assert!(start.elapsed() <= secs(6));
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_a_finished_shield_that_was_not_dropped_yet_holds_nothing() {
    let case = Case::new();
    let work = case.shielded();
    let task = case.ctx.spawn(async move {
        let mut work = Box::pin(work);
        let mut shield = Box::pin(root().shield(secs(60), async { 1 }).into_future());
        assert_eq!((&mut shield).await, Ok(1));
        work.as_mut().await.unwrap();
        pending::<()>().await;
        drop((work, shield));
    });
    assert!(case.holds(task).await.is_err());
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
async fn rule_3_2_a_branch_that_waits_on_after_its_shield_finished_is_given_up() {
    for _ in 0..TRIES {
        let case = Arc::new(Case::new());
        let call = finishes_in_a_branch(Arc::clone(&case)).with(&case.ctx);
        let task = case.ctx.detach("no backstop around the call").spawn(call);
        assert!(case.holds(task).await.unwrap().is_err());
        assert_eq!(case.log.taken()[2], "after the shield");
    }
}

/// Polls what it was given once, hands it over, and waits for ever.
struct HandsOver(Option<Boxed<()>>, Option<oneshot::Sender<Boxed<()>>>);

impl Future for HandsOver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(mut work) = self.0.take() {
            assert!(work.as_mut().poll(cx).is_pending());
            assert!(self.1.take().unwrap().send(work).is_ok());
        }
        Poll::Pending
    }
}

#[propagate]
async fn hands_over(what: HandsOver, log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("the giver ended");
    what.await;
    Ok(())
}

// Fails where a leaf remembers a shield that has left it, and nobody tells it when that
// shield ends elsewhere.
#[tokio::test(start_paused = true)]
async fn rule_3_2_a_shield_handed_to_another_task_frees_the_leaf_at_the_latest_when_it_ends() {
    let case = Case::new();
    let (give, take) = oneshot::channel();
    let work = case.shielded();
    let what = HandsOver(Some(Box::pin(async move { drop(work.await) })), Some(give));
    let giver = case.ctx.spawn(hands_over(what, case.log.clone()));
    let taker = tokio::spawn(async move { take.await.unwrap().await });
    settle().await;
    case.canceller.cancel();
    settle().await;
    case.go.notify_waiters();
    no_hang(taker).await.unwrap();
    assert!(no_hang(giver).await.unwrap().is_err());
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
async fn rule_3_2_a_shield_handed_to_another_task_frees_the_select_at_the_latest_when_it_ends() {
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

async fn drop_output<T>(future: impl Future<Output = T>) {
    drop(future.await);
}

#[propagate]
async fn drains_with_one_ready(case: Arc<Case>) -> Result<(), Cancelled> {
    let mut all: FuturesUnordered<Boxed<()>> = FuturesUnordered::new();
    // Not blocks of this function: those are scopes, which the end wakes.
    all.push(Box::pin(drop_output(case.shielded())));
    all.push(Box::pin(drop_output(ready(()))));
    while let Some(()) = all.next().await {}
    Ok(())
}

// Fails where a leaf hands over what it saw in earlier polls, but not what it saw in the one in which it is ready.
#[tokio::test(start_paused = true)]
async fn rule_3_2_a_shield_first_polled_in_the_poll_in_which_its_leaf_is_ready_is_held() {
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(drains_with_one_ready(Arc::clone(&case)));
    assert!(case.holds(task).await.is_ok());
    assert_eq!(case.log.taken()[0], "shield done");
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

// Fails where the same, in a branch of a `select!`.
#[tokio::test(start_paused = true)]
async fn rule_3_2_a_shield_first_polled_in_the_poll_in_which_its_branch_is_ready_is_held() {
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
async fn rule_3_2_a_select_that_is_no_leaf_does_not_take_the_shields_from_the_next_leaf() {
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

#[tokio::test(start_paused = true)]
async fn rule_3_2_an_active_shield_in_a_mutex_of_another_future_is_dropped_with_it() {
    // Dropping is dropping: a shield guards against the end of contexts, not against its owner.
    let case = Case::new();
    let slot: Arc<Mutex<Option<Boxed<()>>>> = Arc::default();
    let work = case.shielded();
    let mut boxed: Boxed<()> = Box::pin(async move { drop(work.await) });
    assert!(poll_once(boxed.as_mut()).is_pending());
    *slot.lock().unwrap() = Some(boxed);
    drop(slot.lock().unwrap().take());
    assert_eq!(case.log.taken(), ["shield dropped"]);
}
