//! Runtimes shut down with contexts, scopes and tasks alive: no panic, no hang, no early end.

use std::future::pending;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::mpsc;
use std::time::Duration;

use ctxprop::{Cause, Ctx};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Log, poll_once, root, secs};

/// Fails where `f` panics, or hangs: nothing here takes as long as the limit.
fn in_thread(f: impl FnOnce() + Send + 'static) {
    let (tell, told) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        f();
        drop(tell);
    });
    let hangs = told.recv_timeout(secs(60)) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "hangs");
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

fn runtimes() -> [Runtime; 2] {
    let [mut one, mut many] = [Builder::new_current_thread(), Builder::new_multi_thread()];
    [one.enable_all().build().unwrap(), many.worker_threads(2).enable_all().build().unwrap()]
}

#[test]
fn a_runtime_is_dropped_with_everything_alive() {
    in_thread(|| {
        for runtime in runtimes() {
            let (ctx, canceller) = root().with_timeout(secs(3_600)).with_cancel();
            let log = Log::default();
            let tasks: Vec<_> = runtime.block_on(async {
                ctx.on_done(|_| {});
                let guard = log.at_drop("the task");
                let tasks = vec![
                    ctx.spawn(async move {
                        pending::<()>().await;
                        drop(guard);
                    }),
                    ctx.spawn({
                        let ctx = ctx.clone();
                        async move { drop(ctx.shield(secs(99), pending::<()>()).await) }
                    }),
                    ctx.detach("a test").spawn(pending::<()>()),
                    ctx.spawn({
                        let guard = canceller.clone().drop_guard();
                        async move {
                            pending::<()>().await;
                            drop(guard);
                        }
                    }),
                ];
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                tasks
            });
            drop(runtime);
            assert_eq!(log.taken(), ["the task"]);
            assert_eq!(ctx.cause(), Some(Cause::Cancelled), "by the guard that was dropped");
            for mut task in tasks {
                assert!(poll_once(pin!(&mut task)).is_ready(), "no task is left");
            }
            canceller.cancel();
        }
    });
}

#[test]
fn idle_returns_after_the_runtime_of_the_tasks_has_gone() {
    in_thread(|| {
        let [one, other] = runtimes();
        let root = root();
        let task = one.block_on(async { Some(root.spawn(pending::<()>())) });
        drop(one);
        other.block_on(root.idle());
        assert!(task.is_some_and(|task| task.is_finished()));
    });
}

#[test]
fn waits_that_outlive_their_runtime_can_be_dropped() {
    in_thread(|| {
        for runtime in runtimes() {
            let (ctx, canceller) = root().with_timeout(secs(3_600)).with_cancel();
            let (mut done, mut run) = (Box::pin(ctx.done()), Box::pin(ctx.run(pending::<()>())));
            runtime.block_on(async {
                assert!(poll_once(done.as_mut()).is_pending());
                assert!(poll_once(run.as_mut()).is_pending());
            });
            drop(runtime);
            drop((done, run));
            canceller.cancel();
        }
    });
}

#[test]
fn waits_that_outlive_their_runtime_still_hear_a_cancel() {
    in_thread(|| {
        for runtime in runtimes() {
            let (ctx, canceller) = root().with_timeout(secs(3_600)).with_cancel();
            let mut done = Box::pin(ctx.done());
            runtime.block_on(async { assert!(poll_once(done.as_mut()).is_pending()) });
            drop(runtime);
            canceller.cancel_with(Cause::Shutdown);
            assert_eq!(poll_once(done.as_mut()), std::task::Poll::Ready(Cause::Shutdown));
        }
    });
}

// Fails where a runtime that shuts down fires all its timers, which is taken for the deadline.
#[test]
fn a_runtime_that_shuts_down_does_not_end_a_context_before_its_deadline() {
    in_thread(|| {
        for runtime in runtimes() {
            let ctx = root().with_timeout(secs(3_600));
            let mut scope = Box::pin(ctx.scope(pending::<()>()));
            runtime.block_on(async { assert!(poll_once(scope.as_mut()).is_pending()) });
            drop(runtime);
            assert!(!ctx.is_done());
            assert!(poll_once(scope.as_mut()).is_pending());
            assert_eq!(ctx.cause(), None, "an hour early");
        }
    });
}

// Fails where as above, or tokio's panic about a timer of a runtime that is gone.
#[test]
fn rule_3_2_2_a_scope_moves_to_another_runtime_when_its_own_has_gone() {
    in_thread(|| {
        let [other, one] = runtimes();
        let ctx = root().with_timeout(secs(3_600));
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut run = Box::pin(ctx.run(async move { told.await.unwrap() }));
        one.block_on(async { assert!(poll_once(run.as_mut()).is_pending()) });
        drop(one);
        let outcome = other.block_on(async {
            let task = tokio::spawn(run);
            tokio::task::yield_now().await;
            tell.send(7).unwrap();
            task.await.expect("the task panicked")
        });
        assert_eq!(outcome, Ok(7));
    });
}

#[test]
fn spawn_blocking_survives_the_shutdown() {
    in_thread(|| {
        for runtime in runtimes() {
            let (ctx, canceller) = root().with_cancel();
            let (entered, has_entered) = mpsc::channel();
            let task = runtime.block_on(async {
                Some(ctx.spawn_blocking(move |ctx| {
                    entered.send(()).unwrap();
                    while ctx.check().is_ok() {
                        std::thread::yield_now();
                    }
                }))
            });
            has_entered.recv().unwrap();
            canceller.cancel();
            drop(runtime);
            assert!(task.is_some_and(|task| task.is_finished()));
        }
    });
}

#[test]
fn a_runtime_shut_down_in_the_background_with_tasks_that_cancel_each_other() {
    in_thread(|| {
        for runtime in runtimes() {
            let (ctx, _canceller) = root().with_timeout(secs(60)).with_cancel();
            runtime.block_on(async {
                let mut last: Ctx = ctx.clone();
                for _ in 0..100 {
                    let (child, canceller) = last.with_cancel();
                    let guard = canceller.drop_guard();
                    child.on_done(|_| {});
                    drop(child.spawn(async move {
                        tokio::time::sleep(Duration::from_secs(30)).await;
                        drop(guard);
                    }));
                    last = child;
                }
                tokio::task::yield_now().await;
            });
            runtime.shutdown_background();
        }
    });
}

// Fails where the timer of the runtime that polled it first stays the one that it waits for.
#[test]
fn rule_3_2_2_a_run_sees_its_deadline_in_another_runtime_while_its_first_one_is_not_driven() {
    in_thread(|| {
        let build = |paused: bool| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().start_paused(paused).build().unwrap()
        };
        let (first, second) = (build(false), build(true));
        let ctx = root().with_timeout(secs(60));
        let mut run = Box::pin(ctx.run(pending::<()>()));
        first.block_on(async { assert!(poll_once(run.as_mut()).is_pending()) });
        let outcome = second.block_on(crate::support::no_hang(run));
        assert!(outcome.unwrap_err().is_deadline());
        drop(first);
    });
}
