//! Inner code unwinds before outer code where the inner futures have wakers of their own: combinators that poll
//! only what was woken (`docs/semantics.md`, 3.2).

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Wake, Waker};

use ctxprop::{Cancelled, Ctx, propagate};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::sync::Barrier;
use tokio::time::sleep;

use crate::shields::settle;
use crate::support::{Log, Wakes, no_hang, poll_with, root, secs, waker_fn};

type Boxed = Pin<Box<dyn Future<Output = Result<(), Cancelled>> + Send>>;

#[propagate]
async fn counts(unwound: Arc<AtomicUsize>) -> Result<(), Cancelled> {
    let outcome = waits().await;
    unwound.fetch_add(1, Ordering::SeqCst);
    outcome
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    pending().await
}

#[propagate]
async fn joins_all(n: usize, unwound: Arc<AtomicUsize>) -> Result<usize, Cancelled> {
    let blocks = (0..n).map(|_| {
        let unwound = Arc::clone(&unwound);
        async move { counts(unwound).await }
    });
    let outcomes = join_all(blocks).await;
    Ok(outcomes.into_iter().filter(Result::is_err).count())
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_27_every_block_in_a_join_all_unwinds() {
    for n in [2, 29, 31, 500] {
        let (ctx, canceller) = root().with_cancel();
        let unwound = Arc::new(AtomicUsize::new(0));
        let task = ctx.spawn(joins_all(n, Arc::clone(&unwound)));
        settle().await;
        canceller.cancel();
        assert_eq!(no_hang(task).await, Ok(Ok(n)));
        assert_eq!(unwound.load(Ordering::SeqCst), n);
    }
}

// Fails where the first waker that `cancel` wakes lets another thread poll the task before the others
// are woken; `join_all` polls what was woken, and the leaf around it gives up the rest, which never saw the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_3_2_27_every_block_in_a_join_all_unwinds_on_several_threads_too() {
    for round in 0..100 {
        let (ctx, canceller) = root().with_cancel();
        let unwound = Arc::new(AtomicUsize::new(0));
        let started = Arc::new(Barrier::new(2));
        let n = 2_000;
        let task = ctx.spawn({
            let (unwound, started) = (Arc::clone(&unwound), Arc::clone(&started));
            async move {
                let mut all = Box::pin(joins_all(n, unwound).with(&Ctx::current()));
                assert!(futures::poll!(all.as_mut()).is_pending());
                started.wait().await;
                all.await
            }
        });
        started.wait().await;
        canceller.cancel();
        let outcome = task.await;
        assert_eq!(
            (unwound.load(Ordering::SeqCst), outcome),
            (n, Ok(Ok(n))),
            "round {round}: the others were dropped without unwinding"
        );
    }
}

/// A task that is polled by whoever wakes it, there and then, as often as it was woken.
struct Inline {
    task: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    woken: AtomicBool,
    before: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Inline {
    /// `before` runs before the second poll.
    fn start(
        task: impl Future<Output = ()> + Send + 'static,
        before: impl FnOnce() + Send + 'static,
    ) -> Arc<Inline> {
        let inline = Arc::new(Inline {
            task: Mutex::new(Some(Box::pin(task))),
            woken: AtomicBool::new(false),
            before: Mutex::default(),
        });
        Arc::clone(&inline).wake();
        *inline.before.lock().unwrap() = Some(Box::new(before));
        inline
    }

    fn is_over(&self) -> bool {
        self.task.lock().unwrap().is_none()
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self));
        // Busy: it is being polled further up the stack, which sees the flag.
        while let Ok(mut task) = self.task.try_lock() {
            if !self.woken.swap(false, Ordering::SeqCst) {
                return;
            }
            let before = self.before.lock().unwrap().take();
            if let Some(before) = before {
                before();
                continue_after(&self.woken);
            }
            if let Some(future) = task.as_mut()
                && poll_with(future.as_mut(), &waker).is_ready()
            {
                *task = None;
            }
        }
    }
}

/// What `before` woke is covered by the poll that follows.
fn continue_after(woken: &AtomicBool) {
    woken.store(false, Ordering::SeqCst);
}

// Fails where a task that is polled while others are being told uses up their wake-ups, is told before those inside,
// and gives them up.
#[test]
fn rule_3_2_27_blocks_that_were_polled_while_others_were_being_told_unwind_too() {
    let ((ctx, canceller), n) = (root().with_cancel(), 40);
    let unwound = Arc::new(AtomicUsize::new(0));
    let call = joins_all(n, Arc::clone(&unwound)).with(&ctx);
    let task = Inline::start(async move { drop(call.await) }, || {});
    canceller.cancel();
    assert!(task.is_over(), "nobody woke it");
    assert_eq!(unwound.load(Ordering::SeqCst), n);
}

#[propagate]
async fn joins_calls(calls: Vec<Boxed>) -> Result<(), Cancelled> {
    join_all(calls).await.into_iter().collect()
}

// Fails where a parent that ends while those below its child are still being told counts as told.
#[test]
fn rule_3_2_27_blocks_of_a_child_unwind_where_its_parent_ends_while_they_are_being_told() {
    let (ctx, end_parent) = root().with_cancel();
    let (child, end_child) = ctx.with_cancel();
    let (n, unwound) = (40, Arc::new(AtomicUsize::new(0)));
    let calls = (0..n).map(|_| -> Boxed { Box::pin(counts(Arc::clone(&unwound)).with(&child)) });
    let call = joins_calls(calls.collect()).with(&ctx);
    let task = Inline::start(async move { drop(call.await) }, move || end_parent.cancel());
    end_child.cancel();
    assert!(task.is_over(), "nobody woke it");
    assert_eq!(unwound.load(Ordering::SeqCst), n);
}

#[propagate]
async fn drains(n: usize, unwound: Arc<AtomicUsize>) -> Result<(), Cancelled> {
    let mut all: FuturesUnordered<Boxed> = FuturesUnordered::new();
    for _ in 0..n {
        let unwound = Arc::clone(&unwound);
        all.push(Box::pin(async move { counts(unwound).await }));
    }
    while let Some(_outcome) = all.next().await {}
    Ok(())
}

// As it is: the first block to unwind makes `next()` ready; the next leaf finds the end at its start, and
// the other blocks are dropped where they stand.
#[tokio::test(start_paused = true)]
async fn rule_3_2_28_of_the_blocks_that_a_loop_drains_the_first_alone_unwinds() {
    let (ctx, canceller) = root().with_cancel();
    let unwound = Arc::new(AtomicUsize::new(0));
    let task = ctx.spawn(drains(5, Arc::clone(&unwound)));
    settle().await;
    canceller.cancel();
    assert!(no_hang(task).await.unwrap().is_err());
    assert_eq!(unwound.load(Ordering::SeqCst), 1);
}

#[propagate]
async fn drains_shields(log: Log) -> Result<(), Cancelled> {
    let mut all: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>> =
        FuturesUnordered::new();
    for n in 1..=3 {
        let (ctx, log) = (Ctx::current(), log.clone());
        all.push(Box::pin(async move {
            let released = ctx.shield(secs(60), sleep(secs(n))).await;
            log.note(format!("{n} released: {}", released.is_ok()));
        }));
    }
    while let Some(()) = all.next().await {}
    Ok(())
}

// Fails where when the first of several active shields finishes, the leaf is ready; the next one finds the
// end at its start and polls nothing, and the shields that are still active are dropped midway.
#[tokio::test(start_paused = true)]
async fn rule_3_2_42_all_active_shields_that_a_loop_drains_run_to_completion() {
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(drains_shields(log.clone()));
    settle().await;
    canceller.cancel();
    let _outcome = no_hang(task).await;
    assert_eq!(log.taken(), ["1 released: true", "2 released: true", "3 released: true"]);
}

#[propagate]
async fn drains_a_join_set(log: Log) -> Result<(), Cancelled> {
    let ctx = Ctx::current();
    let mut set = tokio::task::JoinSet::new();
    for n in 1..=2 {
        let log = log.clone();
        let work = ctx.shield(secs(60), async move {
            sleep(secs(n)).await;
            log.note(format!("{n} released"));
        });
        set.spawn(ctx.scope(work));
    }
    while let Some(_outcome) = set.join_next().await {}
    Ok(())
}

// As it is: tasks of a `JoinSet` are aborted when the function that holds it unwinds, and a leaf that
// waits for them does not know of the shields inside them.
#[tokio::test(start_paused = true)]
async fn rule_3_2_28_shields_in_the_tasks_of_a_join_set_are_dropped_with_it() {
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(drains_a_join_set(log.clone()));
    settle().await;
    canceller.cancel();
    assert!(no_hang(task).await.unwrap().is_err());
    sleep(secs(10)).await;
    assert!(log.taken().is_empty());
}

#[propagate]
async fn cleans_up_both(log: Log) -> Result<(), Cancelled> {
    let ctx = Ctx::current();
    let cause = ctx.done().await;
    let release = |what: &'static str| {
        let log = log.clone();
        ctx.shield(secs(9), async move {
            sleep(secs(1)).await;
            log.note(what);
        })
    };
    let _ = tokio::join!(release("one"), release("two"));
    Err(Cancelled::new(cause))
}

// Fails where a `join!` of shields is a leaf, so after the end it starts nothing, although each of its
// branches, awaited alone, would run.
#[tokio::test(start_paused = true)]
async fn rule_3_2_21_a_join_of_shields_that_starts_after_the_end_runs_them() {
    let (ctx, canceller) = root().with_cancel();
    let log = Log::default();
    let task = ctx.spawn(cleans_up_both(log.clone()));
    settle().await;
    canceller.cancel();
    assert!(no_hang(task).await.unwrap().is_err());
    let mut released = log.taken();
    // `join!` polls in rotation.
    released.sort();
    assert_eq!(released, ["one", "two"], "what was reserved is not released");
}

/// Another thread ends an inner scope's context, and is inside the call of a waker while the outer one ends too: nobody else has
/// to be told of that, but the inner scope gives nothing up yet, and so nothing around it may give it up.
#[test]
fn rule_3_2_27_what_is_around_waits_for_an_end_that_is_still_being_told() {
    let (ctx, end) = root().with_cancel();
    let (inner, end_inner) = ctx.with_cancel();
    let unwound = Arc::new(AtomicUsize::new(0));
    let (enters, entered) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let first = Mutex::new(Some(goes_on));
    let waker = waker_fn(move || {
        let goes_on = first.lock().unwrap().take();
        if let Some(goes_on) = goes_on {
            enters.send(()).unwrap();
            goes_on.recv().unwrap();
        }
    });
    let mut waits = pin!(inner.done());
    assert!(poll_with(waits.as_mut(), &waker).is_pending());
    let mut run = pin!(ctx.run(counts(Arc::clone(&unwound)).with(&inner)));
    let (wakes, runs) = Wakes::new();
    assert!(poll_with(run.as_mut(), &runs).is_pending());
    std::thread::scope(|threads| {
        threads.spawn(|| end_inner.cancel());
        entered.recv().unwrap();
        end.cancel();
        let before = wakes.count();
        assert!(poll_with(run.as_mut(), &runs).is_pending(), "it was given up");
        assert!(wakes.count() > before, "it has to be polled once more");
        go_on.send(()).unwrap();
    });
    let given = poll_with(run.as_mut(), &runs);
    assert!(matches!(given, Poll::Ready(Ok(Err(_)))), "{given:?}");
    assert_eq!(unwound.load(Ordering::SeqCst), 1);
}
