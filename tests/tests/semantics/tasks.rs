//! Tasks under a context (`docs/semantics.md`, 3.3).

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use ctxprop::{Cancelled, Cause, Ctx, propagate};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

use crate::support::{Log, Name, current_name, no_hang, root, secs};

#[tokio::test(start_paused = true)]
async fn rule_3_3_1_the_context_is_captured_at_the_spawn() {
    let (one, other) = (root().with_value(Name("one")), root().with_value(Name("other")));
    let task = other.sync_scope(|| one.spawn(async { current_name() }));
    let from_inside = other.scope(async { Ctx::current().spawn(async { current_name() }).await });
    assert_eq!(other.scope(task).await, Ok(Some("one")));
    assert_eq!(from_inside.await, Ok(Some("other")));
    let ctx = one.clone();
    let task = ctx.spawn(async { current_name() });
    drop((ctx, one));
    assert_eq!(task.await, Ok(Some("one")), "the task keeps it");
}

#[propagate]
async fn waits(log: Log) -> Result<(), Cancelled> {
    let _guard = log.at_drop("unwound");
    sleep(secs(100)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_2_a_task_ends_with_its_context_and_unwinds() {
    let log = Log::default();
    let (ctx, canceller) = root().with_cancel();
    let task = ctx.with_value(1_u8).child_span().spawn(waits(log.clone()));
    tokio::task::yield_now().await;
    canceller.cancel_with(Cause::Finished);
    let unwound = no_hang(task).await.expect("unwound, not dropped");
    assert_eq!(unwound.unwrap_err().cause(), &Cause::Finished);
    assert_eq!(log.taken(), ["unwound"]);
    let start = Instant::now();
    let foreign = root().with_timeout(secs(3)).spawn(pending::<()>());
    assert!(no_hang(foreign).await.unwrap_err().is_deadline());
    assert_eq!(start.elapsed(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_3_a_dropped_handle_leaves_the_task_running_until_its_context_ends() {
    let log = Log::default();
    let root = root();
    let (ctx, canceller) = root.with_cancel();
    drop(ctx.spawn(waits(log.clone())));
    sleep(secs(50)).await;
    assert!(log.taken().is_empty());
    canceller.cancel();
    no_hang(root.idle()).await;
    assert_eq!(log.taken(), ["unwound"]);
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_5_idle_waits_for_attached_and_detached_tasks_of_the_whole_tree() {
    let (root, start) = (root(), Instant::now());
    no_hang(root.idle()).await;
    let request = root.with_value(1_u8).with_timeout(secs(2));
    let kinds: [(&str, Ctx, u64); 5] = [
        ("attached", request.clone(), 2),
        ("a child's", request.with_timeout(secs(1)), 1),
        ("detached", request.detach("a test").with_timeout(secs(7)), 7),
        ("twice detached", request.detach("a").detach("b").with_timeout(secs(5)), 5),
        ("of the root", root.with_timeout(secs(3)), 3),
    ];
    let mut longest = 0;
    for (name, ctx, expected) in kinds {
        longest = longest.max(expected);
        drop(ctx.spawn(pending::<()>()));
        no_hang(root.idle()).await;
        assert_eq!(start.elapsed(), secs(longest), "{name}");
    }
    let start = Instant::now();
    drop(root.spawn(sleep(secs(4))));
    let nested = root.clone();
    drop(root.spawn(async move {
        sleep(secs(4)).await;
        drop(nested.spawn(sleep(secs(5))));
    }));
    no_hang(root.with_cancel().0.idle()).await;
    assert_eq!(start.elapsed(), secs(9), "asked of a child, of tasks that were spawned later");
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_5_idle_waits_for_shields_and_blocking_code_too() {
    let (root, start) = (root(), Instant::now());
    let (ctx, canceller) = root.with_cancel();
    let inside = ctx.clone();
    drop(ctx.spawn(async move { drop(inside.shield(secs(60), sleep(secs(6))).await) }));
    tokio::task::yield_now().await;
    canceller.cancel();
    no_hang(root.idle()).await;
    assert_eq!(start.elapsed(), secs(6));
    let finished = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&finished);
    drop(root.spawn_blocking(move |_| flag.store(true, Ordering::SeqCst)));
    root.idle().await;
    assert!(finished.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_5_idle_of_one_root_does_not_wait_for_another() {
    let (one, other) = (root(), root());
    let task = other.spawn(pending::<()>());
    no_hang(one.idle()).await;
    assert!(!task.is_finished());
    task.abort();
    no_hang(other.idle()).await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_4_a_panic_resumes_where_the_task_is_awaited_and_idle_still_returns() {
    #[derive(Debug, PartialEq)]
    struct Payload(u8);
    let root = root();
    let task = root.spawn(async {
        tokio::task::yield_now().await;
        std::panic::panic_any(Payload(7))
    });
    let blocking = root.spawn_blocking(|_| std::panic::panic_any(Payload(8)));
    root.idle().await;
    let seen = tokio::spawn(async { drop(task.await) }).await.unwrap_err().into_panic();
    assert_eq!(seen.downcast_ref(), Some(&Payload(7)));
    let seen = tokio::spawn(async { drop(blocking.await) }).await.unwrap_err().into_panic();
    assert_eq!(seen.downcast_ref(), Some(&Payload(8)));
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_3_abort_drops_the_task_and_gives_cancelled() {
    let log = Log::default();
    let (ctx, _canceller) = root().with_cancel();
    let task = ctx.spawn(waits(log.clone()));
    tokio::task::yield_now().await;
    task.abort();
    assert_eq!(no_hang(task).await.unwrap_err().cause(), &Cause::Cancelled);
    assert_eq!(log.taken(), ["unwound"]);
    assert!(!ctx.is_done());
    let done = ctx.spawn(async { 5 });
    tokio::task::yield_now().await;
    assert!(done.is_finished());
    done.abort();
    assert_eq!(done.await, Ok(5), "too late");
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_6_blocking_code_has_the_context_current_and_given() {
    let ctx = root().with_value(Name("blocking"));
    let task = ctx.spawn_blocking(|ctx| {
        assert_eq!(ctx.value(), Some(&Name("blocking")));
        current_name()
    });
    assert_eq!(task.await, Ok(Some("blocking")));
    let thread = root().spawn_blocking(|_| ()).await;
    assert_eq!(thread, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_6_blocking_code_whose_context_has_ended_never_runs() {
    let (ctx, canceller) = root().with_cancel();
    let ran = Arc::new(AtomicBool::new(false));
    canceller.cancel_with(Cause::Shutdown);
    let flag = Arc::clone(&ran);
    let task = ctx.spawn_blocking(move |_| flag.store(true, Ordering::SeqCst));
    assert_eq!(task.await.unwrap_err().cause(), &Cause::Shutdown);
    assert!(!ran.load(Ordering::SeqCst));
}

#[test]
fn rule_3_3_6_blocking_code_whose_context_ends_in_the_queue_never_runs() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (ctx, canceller) = root().with_cancel();
        let (go, wait) = mpsc::channel::<()>();
        let busy = root().spawn_blocking(move |_| wait.recv().is_ok());
        let queued = ctx.spawn_blocking(|_| unreachable!("its context ended in the queue"));
        canceller.cancel();
        go.send(()).unwrap();
        assert_eq!(busy.await, Ok(true));
        assert_eq!(queued.await.unwrap_err().cause(), &Cause::Cancelled);
    });
}

#[tokio::test]
async fn rule_3_3_6_blocking_code_sees_the_end_with_check() {
    let (ctx, canceller) = root().with_cancel();
    let (began, has_begun) = oneshot::channel();
    let task = ctx.spawn_blocking(move |ctx| {
        began.send(()).unwrap();
        loop {
            ctx.check()?;
            Ctx::current().check()?;
            std::thread::yield_now();
        }
        #[expect(unreachable_code, reason = "says what `?` returns")]
        Ok::<(), Cancelled>(())
    });
    has_begun.await.unwrap();
    canceller.cancel();
    assert_eq!(task.await.unwrap().unwrap_err().cause(), &Cause::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_3_3_2_many_tasks_end_with_one_cancel_on_several_threads() {
    let root = root();
    let (ctx, canceller) = root.with_cancel();
    let ready = Arc::new(tokio::sync::Barrier::new(201));
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let (ready, never) = (Arc::clone(&ready), Arc::new(Notify::new()));
            let ctx = if n % 2 == 0 { ctx.clone() } else { ctx.with_cancel().0 };
            ctx.spawn(async move {
                ready.wait().await;
                never.notified().await;
            })
        })
        .collect();
    ready.wait().await;
    canceller.cancel_with(Cause::Shutdown);
    root.idle().await;
    for task in tasks {
        assert_eq!(task.await.unwrap_err().cause(), &Cause::Shutdown);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_3_an_aborted_task_with_a_shield_is_dropped_all_the_same() {
    let log = Log::default();
    let ctx = root();
    let (inside, guard) = (ctx.clone(), log.at_drop("dropped"));
    let task = ctx.spawn(async move {
        let _outcome = inside.shield(secs(60), async move {
            pending::<()>().await;
            drop(guard);
        });
        _outcome.await
    });
    tokio::task::yield_now().await;
    task.abort();
    assert!(no_hang(task).await.is_err());
    assert_eq!(log.taken(), ["dropped"]);
}

#[tokio::test(start_paused = true)]
async fn rule_3_3_7_a_detached_task_outlives_the_request_and_keeps_what_it_carries() {
    let (log, root) = (Log::default(), root());
    let (ctx, canceller) = root.with_value(Name("request")).child_span().with_cancel();
    let (span, notes) = (ctx.span().clone(), log.clone());
    let task = ctx.detach("a test").with_timeout(secs(9)).spawn(async move {
        sleep(secs(5)).await;
        notes.note(current_name().unwrap());
        Ctx::current().span().clone()
    });
    let late = ctx.detach("a test").with_timeout(secs(7)).spawn(waits(log.clone()));
    canceller.cancel();
    no_hang(root.idle()).await;
    assert!(task.is_finished() && late.is_finished(), "tracked by the root");
    assert_eq!(no_hang(task).await, Ok(span));
    assert!(no_hang(late).await.unwrap().unwrap_err().is_deadline());
    assert_eq!(log.taken(), ["request", "unwound"]);
}
