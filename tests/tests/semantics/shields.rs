//! Shields (`docs/semantics.md`, 3.2): they run to completion despite the end, and everything around waits.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use ctxprop::{Cancelled, Canceller, Cause, Ctx, Task, propagate};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::support::{Log, no_hang, poll_once, root, secs};

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work in a shield: done when `go` is notified.
pub(crate) async fn shielded(ctx: Ctx, go: Arc<Notify>, log: Log) -> Result<(), Cancelled> {
    let work = log.clone();
    let outcome = ctx
        .shield(secs(60), async move {
            let _guard = work.at_drop("shield dropped");
            go.notified().await;
            work.note("shield done");
        })
        .await;
    log.note("after the shield");
    outcome
}

/// A task under a context that ends, its log, and what lets its shields finish.
pub(crate) struct Case {
    pub(crate) ctx: Ctx,
    pub(crate) canceller: Canceller,
    pub(crate) go: Arc<Notify>,
    pub(crate) log: Log,
}

impl Case {
    pub(crate) fn new() -> Case {
        let (ctx, canceller) = root().with_cancel();
        Case { ctx, canceller, go: Arc::default(), log: Log::default() }
    }

    pub(crate) fn shielded(&self) -> impl Future<Output = Result<(), Cancelled>> + Send + use<> {
        shielded(self.ctx.clone(), Arc::clone(&self.go), self.log.clone())
    }

    /// Ends the context, sees the shield hold the task, lets it finish, and sees the task end.
    pub(crate) async fn holds<T>(&self, task: Task<T>) -> Result<T, Cancelled> {
        settle().await;
        self.canceller.cancel();
        settle().await;
        assert!(!task.is_finished(), "the shield was dropped: {:?}", self.log.taken());
        self.go.notify_waiters();
        no_hang(task).await
    }
}

/// Lets all tasks run until they wait.
pub(crate) async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

const FINISHED: [&str; 3] = ["shield done", "shield dropped", "after the shield"];

#[propagate]
async fn shields_then_waits(case: Arc<Case>) -> Result<(), Cancelled> {
    let _guard = case.log.at_drop("unwound");
    case.shielded().await?;
    pending().await
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_40_an_active_shield_finishes_and_the_next_leaf_unwinds() {
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(shields_then_waits(Arc::clone(&case)));
    assert_eq!(case.holds(task).await.unwrap().unwrap_err().cause(), &Cause::Cancelled);
    assert_eq!(case.log.taken(), [&FINISHED[..], &["unwound"]].concat());
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_40_a_shield_in_foreign_code_holds_every_backstop() {
    let case = Case::new();
    let work = case.shielded();
    let inner: Boxed<_> = Box::pin(case.ctx.run(async move {
        work.await.unwrap();
        pending::<()>().await;
    }));
    let task = case.ctx.spawn(case.ctx.with_value(1_u8).run(inner));
    assert!(case.holds(task).await.unwrap().unwrap().is_err());
    assert_eq!(case.log.taken(), FINISHED);
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_40_a_shield_in_code_that_cannot_say_cancelled_holds_the_leaf_above() {
    #[propagate]
    async fn cannot_say(case: Arc<Case>) {
        let _outcome = case.shielded().await;
        pending().await
    }
    #[propagate]
    async fn can_say(case: Arc<Case>) -> Result<(), Cancelled> {
        cannot_say(Arc::clone(&case)).await;
        Ok(())
    }
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(can_say(Arc::clone(&case)));
    assert!(case.holds(task).await.unwrap().is_err());
    assert_eq!(case.log.taken(), FINISHED);
}

#[propagate]
async fn unordered(case: Arc<Case>, other: Arc<Notify>) -> Result<(), Cancelled> {
    let mut all: FuturesUnordered<Boxed<()>> = FuturesUnordered::new();
    let work = case.shielded();
    all.push(Box::pin(async move { drop(work.await) }));
    all.push(Box::pin(async move {
        loop {
            other.notified().await;
        }
    }));
    while all.next().await.is_some() {}
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_40_a_shield_that_was_not_polled_in_that_pass_holds_too() {
    let case = Arc::new(Case::new());
    let other = Arc::new(Notify::new());
    let task = case.ctx.spawn(unordered(Arc::clone(&case), Arc::clone(&other)));
    settle().await;
    case.canceller.cancel();
    for _ in 0..5 {
        // Wakes the leaf, but not the shield inside it.
        other.notify_waiters();
        settle().await;
        assert!(!task.is_finished(), "the shield was dropped: {:?}", case.log.taken());
    }
    assert!(case.holds(task).await.unwrap().is_err());
    assert_eq!(case.log.taken(), FINISHED);
}

#[propagate]
async fn joined(case: Arc<Case>) -> Result<(), Cancelled> {
    let (one, two) = tokio::join!(case.shielded(), async {
        let inner = unwinds(case.log.clone()).await;
        case.log.note(format!("other branch unwound {}", inner.is_err()));
        inner
    });
    case.log.note("joined");
    one.and(two)
}

#[propagate]
async fn unwinds(log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("other branch dropped");
    pending().await
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_43_a_shield_in_one_branch_of_a_join_does_not_keep_the_other_from_unwinding() {
    let case = Arc::new(Case::new());
    let task = case.ctx.spawn(joined(Arc::clone(&case)));
    settle().await;
    case.canceller.cancel();
    settle().await;
    assert_eq!(case.log.taken(), ["other branch dropped", "other branch unwound true"]);
    assert!(case.holds(task).await.unwrap().is_err());
    assert_eq!(case.log.taken(), [&FINISHED[..], &["joined"]].concat());
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_41_a_shield_dropped_before_it_finished_frees_the_leaf() {
    let (case, let_go) = (Case::new(), Arc::new(Notify::new()));
    let (work, gone) = (case.shielded(), Arc::clone(&let_go));
    let task = case.ctx.spawn(async move {
        tokio::select! {
            _ = work => unreachable!("it is not told to finish"),
            () = gone.notified() => {}
        }
        pending::<()>().await;
    });
    settle().await;
    case.canceller.cancel();
    settle().await;
    assert!(!task.is_finished());
    let_go.notify_waiters();
    assert!(no_hang(task).await.is_err());
    assert_eq!(case.log.taken(), ["shield dropped"]);
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_40_a_shield_of_another_context_holds_as_well() {
    let (case, other) = (Case::new(), Case::new());
    let task = other.ctx.spawn(case.shielded());
    settle().await;
    other.canceller.cancel();
    settle().await;
    assert!(!task.is_finished());
    case.go.notify_waiters();
    assert!(matches!(no_hang(task).await, Ok(Ok(()))));
}

#[test]
fn rule_3_2_41_a_shield_that_was_never_polled_holds_nothing() {
    let case = Case::new();
    let mut run = pin!(case.ctx.run(async {
        let _work = case.shielded();
        pending::<()>().await;
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    case.canceller.cancel();
    assert!(matches!(poll_once(run.as_mut()), Poll::Ready(Err(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_3_2_40_a_shield_holds_while_its_task_moves_between_threads() {
    for _ in 0..20 {
        let case = Case::new();
        let work = case.shielded();
        let (began, has_begun) = tokio::sync::oneshot::channel();
        let task = case.ctx.spawn(async move {
            let mut work = pin!(work);
            assert!(futures::poll!(work.as_mut()).is_pending());
            began.send(()).unwrap();
            for _ in 0..200 {
                yield_now().await;
            }
            work.await.unwrap();
            "whole"
        });
        has_begun.await.unwrap();
        case.canceller.cancel();
        case.go.notify_one();
        assert_eq!(task.await, Ok("whole"));
    }
}
