//! `#[ctxprop::test]`: what it gives, and what it finds left behind.

use std::sync::Mutex;
use std::time::Duration;

use ctxprop::testing::{elapse, exhaust};
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use rstest::rstest;
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(3_600);

#[propagate]
async fn naps() -> Result<&'static str, Cancelled> {
    sleep(HOUR).await;
    Ok("awake")
}

#[ctxprop::test]
async fn the_body_is_threaded_and_the_clock_is_paused(ctx: Ctx) -> Result<(), Cancelled> {
    let (began, wall) = (Instant::now(), std::time::Instant::now());
    assert_eq!(naps().await?, "awake");
    assert!(began.elapsed() >= HOUR && wall.elapsed() < HOUR);
    ctx.check()
}

#[ctxprop::test]
async fn a_context_is_current_without_a_parameter() {
    assert!(Ctx::current().remaining().is_none());
    assert!(naps().await.is_ok());
}

#[ctxprop::test]
async fn it_may_be_borrowed(ctx: &Ctx) {
    assert!(!ctx.is_done());
}

#[ctxprop::test(budget = "1s")]
async fn arguments_of_propagate_are_handed_on(ctx: Ctx) {
    assert_eq!(ctx.remaining(), Some(Duration::from_secs(1)));
}

#[ctxprop::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_of_several_threads(ctx: Ctx) -> Result<(), Cancelled> {
    let all: Vec<_> = (0..8).map(|_| ctx.spawn(async { std::thread::current().id() })).collect();
    for task in all {
        task.await?;
    }
    ctx.spawn_blocking(|ctx| ctx.check()).await?
}

#[ctxprop::test(start_paused = false)]
async fn a_clock_that_runs() {
    let wall = std::time::Instant::now();
    sleep(Duration::from_millis(2)).await;
    assert!(wall.elapsed() >= Duration::from_millis(2));
}

#[rstest]
#[case(1)]
#[case(2)]
#[ctxprop::test]
async fn with_rstest(#[case] hours: u32) {
    let began = Instant::now();
    sleep(HOUR * hours).await;
    assert!(began.elapsed() >= HOUR * hours);
}

#[ctxprop::test]
#[should_panic(expected = "inside the scope of another: derive from `Ctx::current()`")]
async fn a_detached_root_is_denied() {
    helper();
}

fn helper() -> Ctx {
    Ctx::background()
}

#[ctxprop::test]
async fn attached_tasks_end_with_the_test(ctx: Ctx) {
    drop(ctx.spawn(naps()));
    drop(ctx.spawn(std::future::pending::<()>()));
    let guard = ctx.defer(HOUR, async {});
    drop(guard);
}

#[ctxprop::test]
#[should_panic(expected = "a task is still running, spawned at tests/ends/tests/harness.rs:")]
async fn a_detached_task_is_found(ctx: Ctx) {
    drop(ctx.detach("for ever").spawn(std::future::pending::<()>()));
}

static KEPT: Mutex<Vec<Ctx>> = Mutex::new(Vec::new());

#[ctxprop::test]
#[should_panic(expected = "a context is still held, made at tests/ends/tests/harness.rs:")]
async fn a_kept_context_is_found(ctx: Ctx) {
    KEPT.lock().unwrap().push(ctx.with_value(7_u8));
}

#[ctxprop::test]
#[should_panic(expected = "the context that the run was given is still held")]
async fn a_kept_clone_is_found() {
    KEPT.lock().unwrap().push(Ctx::current());
}

static SHIELD: Mutex<Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>> = Mutex::new(None);

#[ctxprop::test]
#[should_panic(expected = "a shield is still active, made at tests/ends/tests/harness.rs:")]
async fn a_kept_shield_is_found(ctx: Ctx) {
    let mut shield = Box::pin(async move {
        let _ = ctx.shield(HOUR, std::future::pending::<()>()).await;
    });
    std::future::poll_fn(|cx| {
        assert!(shield.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    *SHIELD.lock().unwrap() = Some(shield);
}

#[ctxprop::test]
#[should_panic(expected = "the body's own")]
async fn a_panic_of_the_body_is_the_tests(ctx: Ctx) {
    KEPT.lock().unwrap().push(ctx);
    panic!("the body's own");
}

#[ctxprop::test]
async fn budgets_run_on_the_fake_clock(ctx: Ctx) {
    let ctx = ctx.with_timeout(HOUR);
    elapse(HOUR / 4).await;
    assert_eq!(ctx.remaining(), Some(HOUR / 4 * 3));
    let (other, task) = (ctx.clone(), ctx.spawn(naps()));
    exhaust(&other).await;
    assert!(task.is_finished());
    assert_eq!(other.cause(), Some(Cause::DeadlineExceeded));
}

#[ctxprop::test]
#[should_panic(expected = "has no budget to use up")]
async fn without_a_deadline_there_is_nothing_to_exhaust(ctx: Ctx) {
    exhaust(&ctx).await;
}
