//! `serve` on the bad days: handlers that never give their thread back, a listener that takes its time, a second signal.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::{CtxLayer, serve};
use served::{NEVER, Served};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_never_gives_its_thread_back_is_named_and_not_waited_for() {
    let (told, entered) = oneshot::channel();
    let told = Arc::new(Mutex::new(Some(told)));
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let blocks = async move || {
        if let Some(told) = told.lock().expect("no panic").take() {
            told.send(()).expect("the test listens");
        }
        // As a loop without an await: nothing ends it.
        let _ = released.lock().expect("no panic").recv();
    };
    let app = Router::new().route("/blocks", get(blocks)).layer(CtxLayer::mesh());
    let served = Served::new(app, |serve| serve.drain(Duration::ZERO).unwind(Duration::ZERO)).await;
    let client = common::send(served.address, "/blocks", &[]).await;
    entered.await.expect("it begins");
    let drained = served.end().await;
    let [straggler] = drained.stragglers() else { panic!("{drained:?}") };
    assert_eq!(straggler.route(), Some("/blocks"));
    drop((client, release));
}

/// A listener that greets whom it accepts, as one for TLS does, and is not ready before that.
struct Greets {
    listener: TcpListener,
    begun: Arc<Notify>,
    go: Arc<Notify>,
    slow_from: u32,
    accepted: u32,
}

impl Listener for Greets {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.accepted += 1;
        if self.accepted >= self.slow_from {
            self.begun.notify_one();
            self.go.notified().await;
        }
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[tokio::test]
async fn a_greeting_is_not_lost_where_another_connection_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let listener = Greets {
        listener,
        begun: Arc::clone(&begun),
        go: Arc::clone(&go),
        slow_from: 2,
        accepted: 0,
    };
    let (closes, closed) = oneshot::channel::<()>();
    let closed = Arc::new(Mutex::new(Some(closed)));
    let first = async move || {
        let closed = closed.lock().expect("no panic").take().expect("it is called once");
        let _ = closed.await;
        "first"
    };
    let app = Router::new()
        .route("/first", get(first))
        .route("/second", get(|| async { "second" }))
        .layer(CtxLayer::mesh());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());
    let first = common::send(address, "/first", &[]).await;
    let second = common::send(address, "/second", &[]).await;
    begun.notified().await;
    // The first connection ends while the second one is being greeted.
    closes.send(()).expect("the handler waits");
    assert_eq!(common::read(first).await.body, "first");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    assert_eq!(common::read(second).await.body, "second");
    drop(stop);
    assert!(server.await.expect("no panic").is_clean());
}

#[propagate]
async fn waits() -> Result<&'static str, Cancelled> {
    std::future::pending().await
}

/// As the page on shutdowns has it.
#[tokio::test]
async fn a_second_signal_ends_the_drain() {
    let (root, canceller) = Ctx::background().with_cancel();
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let handler = async move || {
        begins.notify_one();
        waits().in_current().await
    };
    let app = Router::new().route("/", get(handler)).layer(CtxLayer::mesh());
    let served =
        Served::new(app, |serve| serve.under(&root, &canceller).drain(NEVER).unwind(NEVER)).await;
    let waiting = common::send(served.address, "/", &[]).await;
    begun.notified().await;
    let server = served.stop().await;
    assert!(!server.is_finished());
    canceller.cancel_with(Cause::Shutdown);
    assert!(server.await.expect("no panic").is_clean());
    assert_eq!(common::read(waiting).await.status, 503);
}
