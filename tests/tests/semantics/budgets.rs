//! Budgets of functions, and the backstops `run` and `spawn` (`docs/semantics.md`, 3.2).

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ctxprop::{Cancelled, Cause, Ctx, propagate};
use tokio::time::{Instant, sleep};

use crate::leaves::{AppResult, awaits, count};
use crate::support::{Forever, Log, poll_once, root, secs};

#[propagate(budget = "10ms")]
async fn budgeted(log: Log) -> Result<u32, Cancelled> {
    let _guard = log.at_drop("budgeted dropped");
    sleep(secs(5)).await;
    Ok(1)
}

#[propagate(budget = "50%")]
async fn half() -> Result<u32, Cancelled> {
    pending().await
}

#[propagate]
async fn falls_back(log: Log) -> AppResult<Duration> {
    let start = Instant::now();
    let outcome = budgeted(log.clone()).await;
    assert_eq!(outcome.unwrap_err().budget(), Some(Duration::from_millis(10)));
    assert!(!Ctx::current().is_done(), "the parent goes on");
    sleep(Duration::from_millis(20)).await;
    assert!(half().await.unwrap_err().is_deadline());
    Ok(start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_34_a_childs_budget_that_ends_leaves_the_parent_running() {
    let log = Log::default();
    let ctx = root().with_timeout(Duration::from_millis(130));
    let took = falls_back(log.clone()).with(&ctx).await.unwrap();
    // 10 ms, 20 ms, and half of the 100 ms that remained.
    assert_eq!(took, Duration::from_millis(80));
    assert_eq!(log.taken(), ["budgeted dropped"]);
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_34_the_parents_end_reaches_through_a_childs_budget() {
    let (ctx, canceller) = root().with_timeout(secs(60)).with_cancel();
    let task = ctx.spawn(half());
    tokio::task::yield_now().await;
    canceller.cancel_with(Cause::Shutdown);
    assert_eq!(task.await.unwrap().unwrap_err().cause(), &Cause::Shutdown);
}

// As it is: the budget of a function that cannot say `Cancelled` ends its context, and nobody acts on it.
#[propagate(budget = "10ms")]
async fn budgeted_but_cannot_say() -> &'static str {
    sleep(secs(5)).await;
    assert!(Ctx::current().is_done());
    "ran to its end"
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_18_a_budget_on_a_function_that_cannot_say_cancelled_is_not_enforced() {
    let start = Instant::now();
    assert_eq!(budgeted_but_cannot_say().with(&root()).await, "ran to its end");
    assert_eq!(start.elapsed(), secs(5));
}

#[test]
fn rule_3_2_35_run_polls_once_more_after_the_end_then_drops_and_says_so() {
    let (ctx, canceller) = root().with_cancel();
    let (forever, polls) = Forever::new();
    let mut run = pin!(ctx.run(forever));
    assert!(poll_once(run.as_mut()).is_pending());
    canceller.cancel_with(Cause::Finished);
    let Poll::Ready(Err(cancelled)) = poll_once(run.as_mut()) else { panic!("it goes on") };
    assert_eq!((cancelled.cause(), count(&polls)), (&Cause::Finished, 2));
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_35_run_and_spawn_never_poll_what_ended_before_the_start() {
    let (cancelled, canceller) = root().with_cancel();
    canceller.cancel();
    let expired = root().with_timeout(secs(1));
    tokio::time::advance(secs(1)).await;
    for ctx in [cancelled, expired] {
        let (one, polls) = Forever::new();
        assert!(ctx.run(one).await.is_err());
        assert!(ctx.spawn(Forever(Arc::clone(&polls))).await.is_err());
        assert!(ctx.spawn(awaits(Forever(Arc::clone(&polls)))).await.is_err());
        assert_eq!(count(&polls), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_4_a_plain_scope_says_nothing_and_goes_on_after_the_end() {
    let ctx = root().with_timeout(secs(1));
    let slept = ctx.scope(async {
        sleep(secs(5)).await;
        Ctx::current().is_done()
    });
    assert!(slept.await);
}
