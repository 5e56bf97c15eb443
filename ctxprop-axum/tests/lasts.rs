//! What outlives nothing: bodies, queues and handlers that panic, over real sockets.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{ServiceBuilder, ServiceExt as _};

use common::serve;
use http_body_util::BodyExt;
use served::http2;

/// A body that is ready whenever it is asked, as a cache or a memory map is.
async fn export() -> Body {
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    Body::from_stream(stream::repeat(chunk).map(io::Result::Ok))
}

async fn ask(address: std::net::SocketAddr, budget: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nx-timeout-ms: {budget}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

#[tokio::test]
async fn a_body_that_is_always_ready_ends_with_its_deadline() {
    let root = Ctx::background().with_cancel().0;
    let app = Router::new().route("/", get(export)).layer(CtxLayer::mesh().under(&root));
    let mut stream = ask(serve(app).await, "50").await;
    let mut buffer = vec![0; 1 << 20];
    // It ends at all: before, it flowed for ever.
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    assert_eq!(root.live_children(), 0);
}

#[tokio::test]
async fn a_body_that_nobody_reads_ends_with_its_deadline() {
    let root = Ctx::background().with_cancel().0;
    let app = Router::new().route("/", get(export)).layer(CtxLayer::mesh().under(&root));
    let mut stalled = ask(serve(app).await, "50").await;
    // The request comes, however late that is seen, and goes though nobody polls its body.
    stalled.read_exact(&mut [0; 8]).await.expect("a head");
    while root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    drop(stalled);
}

/// Nobody polls any of them, and one has the place of another that is over.
#[tokio::test(start_paused = true)]
async fn bodies_that_nobody_polls_end_each_in_its_own_time() {
    let (root, canceller) = Ctx::background().with_cancel();
    let app = Router::new().route("/", get(export)).layer(CtxLayer::mesh().under(&root));
    let answer = async |budget: &str| {
        let request = Request::builder().uri("/").header("x-timeout-ms", budget);
        let request = request.body(Body::empty()).expect("a request");
        app.clone().oneshot(request).await.expect("infallible")
    };
    let (_long, over, _short) = (answer("10000").await, answer("10000").await, answer("20").await);
    drop(over);
    let mut next = answer("10000").await;
    assert_eq!(root.live_children(), 3);
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(root.live_children(), 2, "the short one did not end in time");
    let frame = next.body_mut().frame().await.expect("it goes on");
    assert_eq!(frame.expect("it was not cut").into_data().expect("data").len(), 64 * 1024);
    canceller.cancel();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(root.live_children(), 0, "the root's end was not seen in time");
}

/// A response with a body of which nothing comes, handed on by a layer outside once its context has ended.
fn ends_before_its_body_begins() -> Router {
    async fn nothing(ctx: Ctx) -> (axum::Extension<Ctx>, Body) {
        (axum::Extension(ctx), Body::from_stream(stream::pending::<io::Result<Bytes>>()))
    }
    async fn late(request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        let ctx = response.extensions().get::<Ctx>().cloned().expect("the handler's");
        ctx.done().await;
        response
    }
    let app = Router::new().route("/", get(nothing)).layer(CtxLayer::mesh());
    app.layer(axum::middleware::from_fn(late))
}

/// hyper loses a head that it has not sent where the body is an error: the client would have no answer.
#[tokio::test]
async fn the_head_leaves_also_where_the_end_comes_before_the_body_is_polled() {
    let address = serve(ends_before_its_body_begins()).await;
    let mut answer = Vec::new();
    let mut stream = ask(address, "20").await;
    let _cut = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
    assert!(!answer.ends_with(b"0\r\n\r\n"), "half a body must not look like a whole one");

    let mut client = http2(address, 65_535).await;
    let request = Request::get("http://x/").header("x-timeout-ms", "20").body(Body::empty());
    let response = client.send_request(request.expect("a request")).await.expect("a head");
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err(), "it was cut");
}

/// Each reader stalls by itself: HTTP/1 connections, and streams of one HTTP/2 connection.
#[tokio::test]
async fn many_stalled_readers_keep_nothing() {
    let root = Ctx::background().with_cancel().0;
    let app = Router::new().route("/", get(export)).layer(CtxLayer::mesh().under(&root));
    let address = serve(app).await;
    let mut stalled = Vec::new();
    for _ in 0..50 {
        stalled.push(ask(address, "200").await);
    }
    let mut client = http2(address, 0).await;
    let mut answers = Vec::new();
    for _ in 0..50 {
        let request = http::Request::get("http://localhost/").header("x-timeout-ms", "200");
        let request = request.body(Body::empty()).expect("a request");
        answers.push(client.send_request(request).await.expect("an answer"));
    }
    while root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    drop((stalled, answers));
}

#[tokio::test]
async fn a_shutdown_ends_bodies_read_or_not() {
    let (root, canceller) = Ctx::background().with_cancel();
    let app = Router::new().route("/", get(export)).layer(CtxLayer::mesh().under(&root));
    let address = serve(app).await;
    let mut flows = ask(address, "3600000").await;
    let stalled = ask(address, "3600000").await;
    let mut client = http2(address, 1 << 20).await;
    let mut unread = http2(address, 0).await;
    let request = || http::Request::get("http://localhost/").body(Body::empty());
    let answer = client.send_request(request().expect("a request")).await.expect("an answer");
    let unread = unread.send_request(request().expect("a request")).await.expect("an answer");
    let mut buffer = vec![0; 1 << 20];
    assert!(flows.read(&mut buffer).await.is_ok_and(|read| read > 0));
    while root.live_children() < 4 {
        tokio::task::yield_now().await;
    }
    let mut frames = answer.into_body().into_data_stream();
    assert!(frames.next().await.is_some_and(|frame| frame.is_ok()));
    canceller.cancel_with(Cause::Shutdown);
    while flows.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    while let Some(Ok(_)) = frames.next().await {}
    while root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    drop((stalled, unread));
}

#[propagate]
async fn polls_a_queue() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[propagate]
async fn panics(ctx: Ctx) -> Result<String, Cancelled> {
    drop(ctx.spawn(polls_a_queue()));
    panic!("a bug, on purpose");
}

#[tokio::test]
async fn a_caught_panic_ends_its_request() {
    let root = Ctx::background().with_cancel().0;
    let app = Router::new()
        .route("/", get(panics))
        .layer(CtxLayer::mesh().under(&root))
        .layer(tower_http::catch_panic::CatchPanicLayer::new());
    let address = serve(app).await;
    for _ in 0..10 {
        assert_eq!(common::get(address, "/", &[]).await.status, 500);
    }
    // What it had spawned ends with it: this waits for ever otherwise.
    root.idle().await;
    assert_eq!((root.live_children(), root.live_tasks()), (0, 0));
}

async fn work(ctx: Ctx) {
    ctx.done().await;
}

#[tokio::test]
async fn waiting_for_a_place_in_the_queue_is_part_of_the_budget() {
    let layers =
        ServiceBuilder::new().layer(CtxLayer::mesh()).layer(GlobalConcurrencyLimitLayer::new(1));
    let address = serve(Router::new().route("/", get(work)).layer(layers)).await;
    // It holds the only place for an hour.
    let first = ask(address, "3600000").await;
    let answer = common::get(address, "/", &[("x-timeout-ms", "50")]).await;
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(answer.header("x-deadline-exceeded"), Some("caller"));
    drop(first);
}
