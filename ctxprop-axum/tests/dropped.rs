//! What becomes of a handler whose response nobody waits for: it unwinds as it is dropped, and in a task what waits.
#![allow(clippy::expect_used, reason = "it is a test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::ServiceExt;

type Events = UnboundedSender<&'static str>;

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

/// Releases what it holds without a wait.
#[propagate]
async fn holds(_ctx: Ctx, State(events): State<Events>) -> Result<(), Cancelled> {
    let ended = waits().await;
    events.send("released").expect("the test listens");
    ended
}

/// Has to wait for the release.
#[propagate]
async fn shields(ctx: Ctx, State(events): State<Events>) -> Result<(), Cancelled> {
    let ended = waits().await;
    let release = tokio::task::yield_now();
    if ctx.shield(Duration::from_secs(60), release).await.is_ok() {
        events.send("released").expect("the test listens");
    }
    ended
}

#[propagate]
async fn panics(_ctx: Ctx, State(events): State<Events>) -> Result<(), Cancelled> {
    let ended = waits().await;
    events.send("panics").expect("the test listens");
    assert!(ended.is_ok(), "a handler's own fault");
    Ok(())
}

/// A request of the handler at `path` that has begun to wait.
fn begin(root: &Ctx, path: &str) -> (impl Future + use<>, UnboundedReceiver<&'static str>) {
    let (sender, events) = unbounded_channel();
    let app = Router::new()
        .route("/holds", get(holds))
        .route("/shields", get(shields))
        .route("/panics", get(panics))
        .with_state(sender)
        .layer(CtxLayer::mesh().under(root));
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let mut response = Box::pin(app.oneshot(request));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(response.as_mut().poll(&mut nobody).is_pending());
    (response, events)
}

#[tokio::test]
async fn rule_3_3_16_it_has_unwound_when_it_is_dropped() {
    let root = Ctx::background();
    let (response, mut events) = begin(&root, "/holds");
    drop(response);
    assert_eq!(events.try_recv(), Ok("released"));
    assert_eq!((root.live_tasks(), root.live_children()), (0, 0));
}

#[tokio::test]
async fn rule_3_3_16_it_waits_for_its_shields_in_a_task() {
    let root = Ctx::background();
    let (response, mut events) = begin(&root, "/shields");
    drop(response);
    assert_eq!((events.try_recv().ok(), root.live_tasks()), (None, 1));
    root.idle().await;
    assert_eq!(events.try_recv(), Ok("released"));
    assert_eq!(root.live_children(), 0);
}

#[tokio::test]
async fn its_panic_is_not_that_of_whoever_drops_it() {
    let root = Ctx::background();
    let (response, mut events) = begin(&root, "/panics");
    drop(response);
    assert_eq!(events.try_recv(), Ok("panics"));
    assert_eq!((root.live_tasks(), root.live_children()), (0, 0));
}

#[tokio::test]
async fn dropped_by_a_panic_it_unwinds_all_the_same() {
    for path in ["/holds", "/panics"] {
        let root = Ctx::background();
        let (response, mut events) = begin(&root, path);
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _response = response;
            panic!("of whoever waits for it");
        }));
        assert!(caught.is_err());
        root.idle().await;
        assert!(events.try_recv().is_ok());
        assert_eq!(root.live_children(), 0);
    }
}

#[test]
fn outside_of_a_runtime_it_is_dropped() {
    let root = Ctx::background();
    let (response, mut events) = begin(&root, "/holds");
    drop(response);
    assert!(events.try_recv().is_err());
    assert_eq!((root.live_tasks(), root.live_children()), (0, 0));
}
