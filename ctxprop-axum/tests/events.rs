//! What is told at the end of each request: one event, and what its span got to know.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "support/events.rs"]
mod events;
#[path = "support/served.rs"]
mod served;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use tokio::sync::Notify;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Level;

use events::{Events, Told};
use served::{NEVER, Served, http2};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[propagate]
async fn waits(ctx: Ctx) -> Result<String, Cancelled> {
    let _ = ctx;
    std::future::pending().await
}

async fn first_and_no_end() -> Body {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"first"))]);
    Body::from_stream(first.chain(stream::pending()))
}

async fn panics() {
    panic!("a bug, on purpose");
}

fn app(layer: CtxLayer) -> Router {
    Router::new()
        .route("/hello/{name}", get(|| async { "hello" }))
        .route("/waits", get(waits))
        .route("/streams", get(first_and_no_end))
        .route("/panics", get(panics))
        .route("/upgrades", get(|| async { StatusCode::SWITCHING_PROTOCOLS }))
        .layer(layer)
        .layer(CatchPanicLayer::new())
}

/// (level, message, status, cause, deadline)
fn row(told: &Told) -> (Level, &str, Option<&str>, Option<&str>, Option<&str>) {
    let [status, cause, deadline] = ["status", "cause", "deadline"].map(|name| told.field(name));
    (told.level, &told.what, status, cause, deadline)
}

#[tokio::test]
async fn a_request_that_is_over_is_one_event_with_all_there_is_to_say() {
    let (events, _listens) = Events::listen();
    let address = common::serve(app(CtxLayer::mesh())).await;
    let headers = [("traceparent", PARENT), ("x-timeout-ms", "60000")];
    common::get(address, "/hello/world?token=secret", &headers).await;
    let told = events.next().await;
    let over = (Level::INFO, "a request is over", Some("200"), Some("the request is over"), None);
    assert_eq!(row(&told), over, "{told:?}");
    assert_eq!(told.field("method"), Some("GET"));
    assert_eq!(told.field("route"), Some("/hello/{name}"));
    assert_eq!(told.field("trace_id"), Some(&PARENT[3..35]));
    assert!(told.field("spent").is_some() && told.field("left").is_some(), "{told:?}");
    assert!(!format!("{told:?}").contains("secret"));
    assert!(events.are_none());
    let [span] = &events.spans()[..] else { panic!("one span: {:?}", events.spans()) };
    assert_eq!(span.field("status"), Some("200"));
    assert_eq!(span.field("cause"), Some("the request is over"));
    assert_eq!(span.field("trace_id"), Some(&PARENT[3..35]));
}

/// With a clock that stands still while anybody has something to do, so that no handler comes too late to begin.
#[tokio::test(start_paused = true)]
async fn a_deadline_says_whose_it_was() {
    let passed = Some("the deadline passed");
    let (events, _listens) = Events::listen();
    let layer = CtxLayer::mesh().default_budget(Duration::from_millis(20));
    let app = app(layer.min_budget(Duration::from_millis(5)));
    for (path, budget, expected) in [
        ("/waits", None, ("a request was cut short", Some("504"), passed, Some("server"))),
        ("/waits", Some("10"), ("a request was cut short", Some("504"), passed, Some("caller"))),
        ("/waits", Some("1"), ("a request was refused", Some("504"), passed, Some("caller"))),
        ("/streams", None, ("a request was cut short", Some("200"), passed, Some("server"))),
        ("/streams", Some("10"), ("a request was cut short", Some("200"), passed, Some("caller"))),
    ] {
        let mut request = http::Request::get(path);
        if let Some(budget) = budget {
            request = request.header("x-timeout-ms", budget);
        }
        let request = request.body(Body::empty()).expect("a request");
        let answer = app.clone().oneshot(request).await.expect("infallible");
        let mut body = answer.into_body().into_data_stream();
        while let Some(Ok(_)) = body.next().await {}
        drop(body);
        let told = events.next().await;
        let (what, status, cause, deadline) = expected;
        assert_eq!(row(&told), (Level::WARN, what, status, cause, deadline), "{path}");
    }
    assert!(events.are_none());
}

#[tokio::test]
async fn who_left_what_panicked_and_what_was_shut_down() {
    let (events, _listens) = Events::listen();
    let (root, canceller) = Ctx::background().with_cancel();
    let address = common::serve(app(CtxLayer::mesh().under(&root))).await;

    let client = common::send(address, "/waits", &[]).await;
    while root.live_children() == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    let told = events.next().await;
    let left = Some("the client disconnected");
    assert_eq!(row(&told), (Level::WARN, "a request was cut short", None, left, None));

    assert_eq!(common::get(address, "/panics", &[]).await.status, 500);
    let told = events.next().await;
    let over = Some("the request is over");
    assert_eq!(row(&told), (Level::WARN, "a request's handler panicked", None, over, None));

    let client = common::send(address, "/waits", &[]).await;
    while root.live_children() == 0 {
        tokio::task::yield_now().await;
    }
    canceller.cancel_with(Cause::Shutdown);
    assert_eq!(common::read(client).await.status, 503);
    let told = events.next().await;
    let down = Some("the process is shutting down");
    assert_eq!((told.level, told.field("cause")), (Level::WARN, down), "{told:?}");
    assert_eq!(told.field("status"), Some("503"));
}

#[tokio::test]
async fn a_layer_inside_of_a_layer_tells_nothing() {
    let (events, _listens) = Events::listen();
    let app = app(CtxLayer::mesh()).layer(CtxLayer::edge());
    common::get(common::serve(app).await, "/hello/you", &[]).await;
    assert_eq!(events.next().await.what, "a request is over");
    assert!(events.are_none());
}

#[tokio::test]
async fn an_upgrade_is_told_as_it_is_done_or_as_it_is_over() {
    let (events, _listens) = Events::listen();
    common::get(common::serve(app(CtxLayer::mesh())).await, "/upgrades", &[]).await;
    let told = events.next().await;
    assert_eq!(told.what, "a request's connection was upgraded");

    let served = Served::new(app(CtxLayer::mesh()), |serve| serve.drain(NEVER)).await;
    common::get(served.address, "/upgrades", &[]).await;
    let told = events.next().await;
    let over = (Level::INFO, "a session is over", Some("101"), Some("the request is over"), None);
    assert_eq!(row(&told), over, "{told:?}");
}

#[tokio::test]
async fn a_drain_is_told_with_whom_it_left_behind() {
    let (events, _listens) = Events::listen();
    let begun = std::sync::Arc::new(Notify::new());
    let tell = std::sync::Arc::clone(&begun);
    let stuck = async move |ctx: Ctx| {
        tell.notify_one();
        let _ = ctx.shield(NEVER, std::future::pending::<()>()).await;
    };
    let app = Router::new().route("/stuck", get(stuck)).layer(CtxLayer::mesh());
    let set = |serve: ctxprop_axum::Serve<_, _>| {
        serve.drain(Duration::ZERO).unwind(Duration::from_millis(20))
    };
    let served = Served::new(app, set).await;
    let mut client = http2(served.address, 65_535).await;
    let request = http::Request::get("http://localhost/stuck").body(Body::empty());
    let _answer = tokio::spawn(client.send_request(request.expect("a request")));
    begun.notified().await;
    drop(served.end().await);
    let told = events.next().await;
    assert_eq!(
        (&*told.what, told.field("connections")),
        ("the server takes no more requests", Some("1"))
    );
    let told = events.next().await;
    assert_eq!((told.level, &*told.what), (Level::WARN, "a request did not end"));
    assert_eq!(told.field("route"), Some("/stuck"));
    assert_eq!(told.field("cause"), Some("the process is shutting down"));
    let told = events.next().await;
    assert_eq!((&*told.what, told.field("cut")), ("the server has ended", Some("1")));
}
