//! How a request ends: its body sent, its client gone, its handler panicked, its runtime shut down.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use bytes::Bytes;
use common::serve;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Events = UnboundedSender<String>;

async fn next(events: &mut UnboundedReceiver<String>) -> String {
    events.recv().await.expect("the server lives")
}

/// Tells how the request went: what its context ended with, and what its code saw.
#[propagate]
async fn reserves(ctx: Ctx, State(events): State<Events>) -> Result<String, Cancelled> {
    let on_done = events.clone();
    let _ = ctx.on_done(move |cause| drop(on_done.send(format!("ended: {cause}"))));
    let attached = events.clone();
    let child = ctx.clone();
    drop(ctx.spawn(async move {
        let cause = child.done().await;
        drop(attached.send(format!("task saw: {cause}")));
    }));
    drop(events.send("reserved".to_owned()));
    if let Err(cancelled) = waits().await {
        let released = ctx.shield(Duration::from_secs(60), release(events.clone())).await;
        drop(events.send(format!("unwound: {cancelled}, shield: {released:?}")));
        return Err(cancelled);
    }
    Ok("never".to_owned())
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

async fn release(events: Events) -> &'static str {
    // More than one poll: what is dropped midway does not get here.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    drop(events.send("released".to_owned()));
    "done"
}

async fn all(events: &mut UnboundedReceiver<String>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(next(events).await);
    }
    seen.sort();
    seen
}

const DISCONNECT: [&str; 4] = [
    "ended: the client disconnected",
    "released",
    "task saw: the client disconnected",
    "unwound: the client disconnected, shield: Ok(\"done\")",
];

#[tokio::test]
async fn a_client_that_vanishes_lets_the_handler_unwind_and_its_shields_complete() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    let app = Router::new()
        .route("/", get(reserves))
        .with_state(sender)
        .layer(CtxLayer::mesh().under(&root));
    let address = serve(app).await;
    let stream = common::send(address, "/", &[]).await;
    assert_eq!(next(&mut events).await, "reserved");
    drop(stream);
    assert_eq!(all(&mut events, 4).await, DISCONNECT);
    root.idle().await;
    assert_eq!(root.live_children(), 0);
}

#[tokio::test]
async fn so_does_a_reset_http2_stream() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    let app = Router::new()
        .route("/", get(reserves))
        .with_state(sender)
        .layer(CtxLayer::mesh().under(&root));
    let stream = tokio::net::TcpStream::connect(serve(app).await).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, String>(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://localhost/").body(String::new()).unwrap();
    let response = tokio::spawn(client.send_request(request));
    assert_eq!(next(&mut events).await, "reserved");
    response.abort();
    assert_eq!(all(&mut events, 4).await, DISCONNECT);
    root.idle().await;
}

#[tokio::test]
async fn rule_3_3_10_a_request_is_over_when_its_body_has_been_sent() {
    let (sender, mut events) = unbounded_channel();
    let (feed, chunks) = unbounded_channel::<Result<Frame<Bytes>, Infallible>>();
    let chunks = Arc::new(Mutex::new(Some(chunks)));
    let handler = |ctx: Ctx, State(events): State<Events>| async move {
        let _ = ctx.on_done(move |cause| drop(events.send(cause.to_string())));
        let chunks = chunks.lock().unwrap().take().unwrap();
        Body::new(StreamBody::new(tokio_stream(chunks)))
    };
    let app = Router::new().route("/", get(handler)).with_state(sender).layer(CtxLayer::mesh());
    let mut stream = common::send(serve(app).await, "/", &[]).await;
    feed.send(Ok(Frame::data(Bytes::from_static(b"first")))).unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"first\r\n") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    assert!(events.try_recv().is_err(), "the body has not ended, and so has the request not");
    drop(feed);
    assert_eq!(next(&mut events).await, "the request is over");
}

/// A stream over a channel, so that the test needs no crate for it.
fn tokio_stream<T>(mut chunks: UnboundedReceiver<T>) -> impl futures_core::Stream<Item = T> {
    futures_util::stream::poll_fn(move |cx| chunks.poll_recv(cx))
}

#[tokio::test]
async fn the_deadline_bounds_the_body_too() {
    let (sender, mut events) = unbounded_channel();
    let handler = |ctx: Ctx, State(events): State<Events>| async move {
        let _ = ctx.on_done(move |cause| drop(events.send(cause.to_string())));
        let first = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(
            Bytes::from_static(b"first"),
        ))]);
        let body = futures_util::StreamExt::chain(first, futures_util::stream::pending());
        Body::new(StreamBody::new(body))
    };
    let layer = CtxLayer::edge().default_budget(Duration::from_millis(30));
    let app = Router::new().route("/", get(handler)).with_state(sender).layer(layer);
    let answer = common::get(serve(app).await, "/", &[]).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.body.contains("first") && !answer.body.ends_with("0\r\n\r\n"),
        "half a body looks whole: {answer:?}"
    );
    assert_eq!(next(&mut events).await, "the deadline passed");
}

#[tokio::test]
async fn rule_3_3_10_attached_tasks_end_with_the_request_and_detached_ones_do_not() {
    let root = Ctx::background();
    let (sender, mut events) = unbounded_channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let released = Arc::new(Mutex::new(Some(released)));
    let handler = |ctx: Ctx, State(events): State<Events>| async move {
        let released = released.lock().unwrap().take().unwrap();
        let (one, two) = (events.clone(), events);
        let attached = ctx.clone();
        let (start, started) = tokio::sync::oneshot::channel();
        drop(ctx.spawn(async move {
            start.send(()).unwrap();
            drop(one.send(format!("attached: {}", attached.done().await)));
        }));
        started.await.unwrap();
        drop(ctx.detach("mails outlive requests").spawn(async move {
            drop(released.await);
            drop(two.send("detached: done".to_owned()));
        }));
        "answer"
    };
    let app = Router::new()
        .route("/", get(handler))
        .with_state(sender)
        .layer(CtxLayer::mesh().under(&root));
    assert_eq!(common::get(serve(app).await, "/", &[]).await.body, "answer");
    assert_eq!(next(&mut events).await, "attached: the request is over");
    assert_eq!(root.live_tasks(), 1);
    release.send(()).unwrap();
    root.idle().await;
    assert_eq!(next(&mut events).await, "detached: done");
}

#[tokio::test]
async fn a_panicking_handler_ends_its_context_and_no_other() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let (sender, mut events) = unbounded_channel();
    #[propagate]
    async fn panics(ctx: Ctx, State(events): State<Events>) -> Result<(), Cancelled> {
        let told = events.clone();
        let _ = ctx.on_done(move |cause| drop(told.send(cause.to_string())));
        tokio::task::yield_now().await;
        panic!("a handler's own fault");
    }
    let app = Router::new()
        .route("/", get(reserves))
        .route("/panics", get(panics))
        .with_state(sender)
        .layer(CtxLayer::mesh().under(&root));
    let address = serve(app).await;
    let sibling = common::send(address, "/", &[]).await;
    assert_eq!(next(&mut events).await, "reserved");
    let answer = common::get(address, "/panics", &[]).await;
    assert_eq!(answer.status, 0, "the connection closes without an answer");
    assert_eq!(next(&mut events).await, "the request is over");
    assert_eq!(root.live_children(), 1, "the sibling is unharmed");
    drop(sibling);
    assert_eq!(all(&mut events, 4).await, DISCONNECT);
}

#[test]
fn a_runtime_that_shuts_down_with_requests_alive_neither_panics_nor_hangs() {
    let root = Ctx::background();
    let (root, canceller) = root.with_cancel();
    let (sender, mut events) = unbounded_channel();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let app = Router::new()
        .route("/", get(reserves))
        .with_state(sender)
        .layer(CtxLayer::mesh().under(&root));
    let _stream = runtime.block_on(async {
        let stream = common::send(serve(app).await, "/", &[]).await;
        assert_eq!(next(&mut events).await, "reserved");
        stream
    });
    drop(runtime);
    assert_eq!(root.live_children(), 0, "the request is gone");
    canceller.cancel_with(Cause::Shutdown);
}
