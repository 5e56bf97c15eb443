//! Shields that change their place: from one leaf to the next, from one task to another. Those that `select!` has are
//! in `shields_select`.

use std::future::{Future, IntoFuture, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use ctxprop::{Cancelled, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::shields::{Boxed, Case, settle};
use crate::support::{Log, no_hang, poll_once, root, secs};

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
async fn rule_3_2_42_a_shield_that_moved_from_one_leaf_to_the_next_is_held() {
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(two_leaves(Arc::clone(&case)));
    assert!(matches!(case.holds(task).await, Ok(Ok(()))));
}

// Fails where a shield that is held but no longer polled counts as active after its limit, since only its
// flag is looked at and nobody sets that: the end of the context never comes through.
#[tokio::test(start_paused = true)]
async fn rule_3_2_41_a_shield_that_is_not_polled_any_more_holds_no_longer_than_its_limit() {
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
async fn rule_3_2_41_a_finished_shield_that_was_not_dropped_yet_holds_nothing() {
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

/// Polls what it was given once, hands it over, and waits for ever.
pub(crate) struct HandsOver(
    pub(crate) Option<Boxed<()>>,
    pub(crate) Option<oneshot::Sender<Boxed<()>>>,
);

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
async fn rule_3_2_41_a_shield_handed_to_another_task_frees_the_leaf_at_the_latest_when_it_ends() {
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

pub(crate) async fn drop_output<T>(future: impl Future<Output = T>) {
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
async fn rule_3_2_41_a_shield_first_polled_in_the_poll_in_which_its_leaf_is_ready_is_held() {
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(drains_with_one_ready(Arc::clone(&case)));
    assert!(case.holds(task).await.is_ok());
    assert_eq!(case.log.taken()[0], "shield done");
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_46_an_active_shield_in_a_mutex_of_another_future_is_dropped_with_it() {
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
