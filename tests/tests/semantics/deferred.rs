//! `defer`, sets of tasks, and what tasks take along.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use ctxprop::{Cancelled, Carry, Ctx, propagate};
use tokio::time::{sleep, timeout};

use crate::support::{root, secs};

#[derive(Default)]
struct Stock(AtomicU32);

#[propagate]
async fn reserves(stock: Arc<Stock>, pays: bool) -> Result<(), Cancelled> {
    let ctx = Ctx::current();
    stock.0.fetch_add(1, SeqCst);
    let released = Arc::clone(&stock);
    let reserved = ctx.defer(secs(2), async move {
        sleep(Duration::from_millis(10)).await;
        released.0.fetch_sub(1, SeqCst);
    });
    if !pays {
        std::future::pending::<()>().await;
    }
    reserved.disarm();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_49_what_is_deferred_is_done_however_the_function_ends() {
    let root = root();
    let stock = Arc::<Stock>::default();
    let reserves = |pays| reserves(Arc::clone(&stock), pays);
    // It unwinds, somebody else drops it, its task is aborted, it panics.
    let ctx = root.with_timeout(secs(1));
    assert!(reserves(false).with(&ctx).await.unwrap_err().is_deadline());
    assert!(timeout(secs(1), reserves(false).with(&root)).await.is_err());
    let task = root.spawn(reserves(false));
    tokio::task::yield_now().await;
    task.abort();
    let panics = root.clone();
    let work = Arc::clone(&stock);
    work.0.fetch_add(1, SeqCst);
    let panicked = tokio::spawn(async move {
        let _guard = panics.defer(secs(2), async move {
            work.0.fetch_sub(1, SeqCst);
        });
        panic!("in the middle");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    root.idle().await;
    assert_eq!(stock.0.load(SeqCst), 0);
    // Taken back it is not done.
    reserves(true).with(&root).await.unwrap();
    root.idle().await;
    assert_eq!(stock.0.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_49_what_is_deferred_lasts_for_its_limit_and_outlives_the_root_of_the_request() {
    let root = root();
    let (request, canceller) = root.with_cancel();
    let seen = Arc::<AtomicU32>::default();
    let work = Arc::clone(&seen);
    let guard = request.defer(secs(2), async move {
        work.store(1, SeqCst);
        let ended = Ctx::current().run(std::future::pending::<()>()).await;
        assert!(ended.is_err_and(|ended| ended.is_deadline()));
        work.store(2, SeqCst);
    });
    canceller.cancel();
    drop(guard);
    root.idle().await;
    assert!(seen.load(SeqCst) >= 1);
}

#[propagate]
async fn cleans_up(cleaned: Arc<AtomicU32>) -> Result<u32, Cancelled> {
    let waited = sleep_for_ever().await;
    let clean = async move {
        sleep(Duration::from_millis(50)).await;
        cleaned.fetch_add(1, SeqCst);
    };
    Ctx::current().shield(secs(1), clean).await?;
    waited
}

#[propagate]
async fn sleep_for_ever() -> Result<u32, Cancelled> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_13_a_set_of_tasks_unwinds_when_it_is_dropped_and_when_its_context_ends() {
    let root = root();
    let cleaned = Arc::<AtomicU32>::default();
    {
        let mut set = root.task_set();
        for _ in 0..3 {
            set.spawn(cleans_up(Arc::clone(&cleaned)));
        }
        tokio::task::yield_now().await;
        assert_eq!(set.len(), 3);
    }
    root.idle().await;
    assert_eq!(cleaned.load(SeqCst), 3, "dropped");

    #[propagate]
    async fn waits_for(cleaned: Arc<AtomicU32>) -> Result<u32, Cancelled> {
        let mut set = Ctx::current().task_set();
        set.spawn(cleans_up(Arc::clone(&cleaned)));
        while let Some(done) = set.join_next().await {
            // It had its unwinding, for which the leaf waited.
            assert!(done.unwrap().is_err());
        }
        Ok(cleaned.load(SeqCst))
    }
    let ctx = root.with_timeout(secs(1));
    let seen = ctx.run(waits_for(Arc::clone(&cleaned))).await;
    assert!(seen.is_ok_and(|seen| seen != Ok(3)), "it was not given up before the fourth");
    root.idle().await;
    assert_eq!(cleaned.load(SeqCst), 4);
}

#[tokio::test]
async fn rule_3_3_13_outputs_of_a_set_come_as_they_are_done_and_panics_resume() {
    let root = root();
    let mut set = root.task_set();
    assert!(set.is_empty() && set.join_next().await.is_none());
    set.spawn(async { 1 });
    set.spawn(async { 2 });
    let mut all = [set.join_next().await, set.join_next().await].map(|one| one.unwrap().unwrap());
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
    set.spawn(std::future::pending());
    set.cancel();
    assert!(set.join_next().await.unwrap().is_err());
    let mut set = root.task_set::<()>();
    set.spawn(async { panic!("in a task") });
    let joined = tokio::spawn(async move { set.join_next().await.is_some() }).await;
    assert!(joined.unwrap_err().is_panic());
}

thread_local!(static AMBIENT: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });

struct Ambient(u32);

impl Carry for Ambient {
    fn capture() -> Self {
        Ambient(AMBIENT.get())
    }

    fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let outer = AMBIENT.replace(self.0);
        let result = f();
        AMBIENT.set(outer);
        result
    }
}

#[tokio::test]
async fn rule_3_3_12_tasks_take_along_what_their_context_carries() {
    let plain = root();
    let ctx = plain.carrying::<Ambient>();
    AMBIENT.set(7);
    let child = ctx.with_value("a child").detach("also detached");
    let (task, blocking) =
        (child.spawn(async { AMBIENT.get() }), ctx.spawn_blocking(|_| AMBIENT.get()));
    let without = plain.spawn(async { AMBIENT.get() });
    let mut set = ctx.task_set();
    set.spawn(async { AMBIENT.get() });
    AMBIENT.set(0);
    assert_eq!(task.await, Ok(7));
    assert_eq!(blocking.await, Ok(7));
    assert_eq!(set.join_next().await, Some(Ok(7)));
    assert_eq!(without.await, Ok(0));
}
