//! Which context is current, and when (`docs/semantics.md`, 3.2): while a scope polls and drops, and never else.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use ctxprop::{Ctx, NeedsCtx};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::support::{Log, Name, current_name, poll_once, root};

fn named(name: &'static str) -> Ctx {
    root().with_value(Name(name))
}

/// Notes the current context when it is polled and dropped; ready, or panics, at its `left`th poll.
struct Probe {
    log: Log,
    left: usize,
    panics: bool,
}

impl Probe {
    fn new(log: &Log, left: usize) -> Self {
        let log = log.clone();
        Probe { log, left, panics: false }
    }
}

impl Future for Probe {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.log.note(format!("polled in {:?}", current_name()));
        cx.waker().wake_by_ref();
        self.left = self.left.saturating_sub(1);
        match self.left {
            0 if self.panics => panic!("a future of a test"),
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.log.note(format!("dropped in {:?}", current_name()));
    }
}

const POLLED: &str = r#"polled in Some("a")"#;
const DROPPED: &str = r#"dropped in Some("a")"#;

#[test]
fn rule_3_2_1_it_is_current_during_each_poll_and_the_drop_after_the_last() {
    let log = Log::default();
    let mut scope = pin!(named("a").scope(Probe::new(&log, 2)));
    assert_eq!(current_name(), None);
    assert!(poll_once(scope.as_mut()).is_pending());
    assert_eq!(current_name(), None);
    assert!(poll_once(scope.as_mut()).is_ready());
    assert_eq!(current_name(), None);
    assert_eq!(log.taken(), [POLLED, POLLED, DROPPED], "dropped at once, inside");
}

#[test]
fn rule_3_2_1_a_pending_scope_and_one_that_was_never_polled_drop_their_future_inside() {
    let log = Log::default();
    drop(named("a").scope(Probe::new(&log, 2)));
    assert_eq!(log.taken(), [DROPPED]);
    let mut scope = Box::pin(named("a").run(Probe::new(&log, 2)));
    assert!(poll_once(scope.as_mut()).is_pending());
    drop(scope);
    assert_eq!(log.taken(), [POLLED, DROPPED]);
    assert_eq!(current_name(), None);
}

#[test]
fn rule_3_2_1_a_poll_that_panics_restores_and_the_future_is_dropped_inside() {
    let log = Log::default();
    let mut probe = Probe::new(&log, 1);
    probe.panics = true;
    let outer = named("outer");
    outer.sync_scope(|| {
        let mut scope = Box::pin(named("a").scope(probe));
        assert!(catch_unwind(AssertUnwindSafe(|| poll_once(scope.as_mut()))).is_err());
        assert_eq!(current_name(), Some("outer"), "restored");
        drop(scope);
        assert_eq!(current_name(), Some("outer"));
    });
    assert_eq!(current_name(), None);
    assert_eq!(log.taken(), [POLLED, DROPPED]);
}

#[test]
fn rule_3_2_1_a_drop_that_panics_restores_as_well() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a drop of a test");
        }
    }
    impl Future for Bomb {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    let unpolled = named("a").scope(Bomb);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(unpolled))).is_err());
    assert_eq!(current_name(), None);
    let mut ready = Box::pin(named("a").scope(Bomb));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(ready.as_mut()))).is_err());
    assert_eq!(current_name(), None);
}

#[test]
fn rule_3_2_1_scopes_nest_and_each_restores_the_one_around_it() {
    let log = Log::default();
    let at = |place: &'static str| log.note(format!("{place} {:?}", current_name().unwrap()));
    let scope = named("a").scope(async {
        at("first");
        named("b")
            .scope(async {
                at("second");
                named("c").run(async { at("third") }).await.unwrap();
                tokio::task::yield_now().await;
                at("fourth");
            })
            .await;
        named("d").sync_scope(|| at("fifth"));
        at("sixth");
    });
    let mut scope = pin!(scope);
    while poll_once(scope.as_mut()).is_pending() {}
    assert_eq!(
        log.taken(),
        [
            "first \"a\"",
            "second \"b\"",
            "third \"c\"",
            "fourth \"b\"",
            "fifth \"d\"",
            "sixth \"a\""
        ]
    );
}

#[test]
fn rule_3_2_1_polling_a_scope_that_was_ready_panics_and_restores() {
    let mut scope = Box::pin(named("a").scope(async {}));
    assert!(poll_once(scope.as_mut()).is_ready());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(scope.as_mut()))).is_err());
    assert_eq!(current_name(), None);
}

#[test]
fn current_is_the_threads_own_and_panics_where_there_is_none() {
    named("a").sync_scope(|| {
        let other = std::thread::spawn(|| Ctx::try_current().is_none());
        assert!(other.join().unwrap());
    });
    let panic = catch_unwind(|| Ctx::current()).unwrap_err();
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    assert!(message.unwrap().contains("no context is current"));
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_1_children_of_join_select_unordered_and_join_set_each_see_their_own() {
    let name = |ctx: &'static str| {
        named(ctx).scope(async {
            let before = current_name();
            tokio::task::yield_now().await;
            assert_eq!(before, current_name());
            before.unwrap()
        })
    };
    named("outer")
        .scope(async {
            assert_eq!(tokio::join!(name("a"), name("b")), ("a", "b"));
            assert_eq!(futures::join!(name("a"), name("b")), ("a", "b"));
            let mut unordered: FuturesUnordered<_> = ["a", "b"].into_iter().map(name).collect();
            while unordered.next().await.is_some() {
                assert_eq!(current_name(), Some("outer"));
            }
            let mut set = tokio::task::JoinSet::new();
            set.spawn(name("a"));
            set.spawn(async { current_name().unwrap_or("none") });
            let mut seen = set.join_all().await;
            seen.sort_unstable();
            assert_eq!(seen, ["a", "none"]);
            let (mut a, mut b) = (pin!(name("a")), pin!(name("b")));
            let mut seen = Vec::new();
            while seen.len() < 2 {
                tokio::select! {
                    name = &mut a, if !seen.contains(&"a") => seen.push(name),
                    name = &mut b, if !seen.contains(&"b") => seen.push(name),
                }
                assert_eq!(current_name(), Some("outer"));
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_1_a_task_that_is_aborted_drops_its_future_inside() {
    let log = Log::default();
    let task = named("a").spawn({
        let probe = Probe::new(&log, usize::MAX);
        async move {
            std::future::pending::<()>().await;
            probe.await;
        }
    });
    tokio::task::yield_now().await;
    task.abort();
    assert!(task.await.is_err());
    assert_eq!(log.taken(), [DROPPED]);
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_7_what_the_end_drops_is_dropped_inside() {
    let log = Log::default();
    let (ctx, canceller) = named("a").with_cancel();
    let mut run = Box::pin(ctx.run({
        let probe = Probe::new(&log, usize::MAX);
        async move {
            std::future::pending::<()>().await;
            probe.await;
        }
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    canceller.cancel();
    assert!(poll_once(run.as_mut()).is_ready());
    assert_eq!(log.taken(), [DROPPED]);
}

#[tokio::test]
async fn a_call_that_needs_a_context_gets_it_from_scope_run_spawn_shield_and_with() {
    fn call() -> NeedsCtx<impl Future<Output = &'static str> + Send + 'static> {
        NeedsCtx::new(async { current_name().unwrap() })
    }
    let ctx = named("a");
    assert_eq!(call().with(&ctx).await, "a");
    assert_eq!(ctx.scope(call()).await, "a");
    assert_eq!(ctx.run(call()).await, Ok("a"));
    assert_eq!(ctx.spawn(call()).await, Ok("a"));
    assert_eq!(ctx.shield(std::time::Duration::from_secs(5), call()).await, Ok("a"));
}

#[test]
fn rule_3_2_1_an_unshared_future_may_move_between_threads_and_contexts_follow_it() {
    let log = Log::default();
    let mut scope = Box::pin(named("a").scope(Probe::new(&log, 3)));
    assert!(poll_once(scope.as_mut()).is_pending());
    let mut scope = std::thread::spawn(move || {
        assert!(poll_once(scope.as_mut()).is_pending());
        assert_eq!(current_name(), None);
        scope
    })
    .join()
    .unwrap();
    assert!(poll_once(scope.as_mut()).is_ready());
    assert_eq!(log.taken(), [POLLED, POLLED, POLLED, DROPPED]);
}
