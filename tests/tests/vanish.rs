//! 10,000 clients vanish midway: in the request, in the handler, in a shield, in the body. Afterwards no
//! context, task or connection is left.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::{get, post};
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

const CLIENTS: usize = 10_000;
const AT_ONCE: usize = 64;

#[derive(Default)]
struct Seen {
    reserved: AtomicUsize,
    released: AtomicUsize,
    unwound: AtomicUsize,
    tasks: AtomicUsize,
}

type Shared = State<Arc<Seen>>;

/// Tells the client that it got here, so that the client can leave, without ending the response.
fn started_body(
    rest: impl futures::Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Body {
    let first = futures::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"started"))]);
    Body::from_stream(first.chain(rest))
}

/// A reservation that must be released, whatever happens. The client cannot see that the handler runs, so it
/// learns that from a side channel: an informational line of its own connection is not to be had in HTTP/1.
#[propagate]
async fn reserve(ctx: Ctx, State(seen): Shared, body: Bytes) -> Result<String, Cancelled> {
    seen.reserved.fetch_add(1, Ordering::SeqCst);
    let port: u16 = String::from_utf8_lossy(&body).parse().unwrap_or(0);
    let attached = Arc::clone(&seen);
    let child = ctx.clone();
    drop(ctx.spawn(async move {
        attached.tasks.fetch_add(1, Ordering::SeqCst);
        child.done().await;
        attached.tasks.fetch_sub(1, Ordering::SeqCst);
    }));
    let ended = ring_and_wait(port).await;
    seen.unwound.fetch_add(1, Ordering::SeqCst);
    ctx.shield(Duration::from_secs(60), release(Arc::clone(&seen))).await?;
    ended
}

/// The client leaves when the bell rings, and the end may be seen at either await.
#[propagate]
async fn ring_and_wait(port: u16) -> Result<String, Cancelled> {
    // At the end its error says so.
    if let Err(error) = TcpStream::connect(("127.0.0.1", port)).await {
        return Err(Cancelled::find_in(&error).cloned().expect("the client waits for the bell"));
    }
    std::future::pending().await
}

async fn release(seen: Arc<Seen>) {
    tokio::task::yield_now().await;
    seen.released.fetch_add(1, Ordering::SeqCst);
}

async fn stream() -> Body {
    started_body(futures::stream::pending())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_clients_that_vanish_leave_nothing_behind() {
    let metrics = Handle::current().metrics();
    let (root, _canceller) = Ctx::background().with_cancel();
    let seen = Arc::new(Seen::default());
    let app = Router::new()
        .route("/reserve", post(reserve))
        .route("/stream", get(stream))
        .with_state(Arc::clone(&seen))
        .layer(CtxLayer::mesh().under(&root));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let before = metrics.num_alive_tasks();

    futures::stream::iter(0..CLIENTS)
        .for_each_concurrent(AT_ONCE, |n| async move {
            match n % 4 {
                0 => vanish_in_the_request(address).await,
                1 => vanish_in_the_body(address).await,
                _ => vanish_in_the_handler(address).await,
            }
        })
        .await;

    // Connections are tasks of the runtime, unwinding handlers and attached tasks are the root's.
    while metrics.num_alive_tasks() > before || root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    root.idle().await;
    assert_eq!(seen.reserved.load(Ordering::SeqCst), CLIENTS / 2);
    assert_eq!(seen.unwound.load(Ordering::SeqCst), CLIENTS / 2, "each handler unwound");
    assert_eq!(seen.released.load(Ordering::SeqCst), CLIENTS / 2, "each shield completed");
    assert_eq!(seen.tasks.load(Ordering::SeqCst), 0, "each attached task saw the end");
    assert_eq!((root.live_children(), root.live_tasks()), (0, 0));
    assert!(!server.is_finished());
}

async fn vanish_in_the_request(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"POST /reserve HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
        .await
        .unwrap();
}

async fn vanish_in_the_body(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"started\r\n") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
}

async fn vanish_in_the_handler(address: SocketAddr) {
    let bell = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = bell.local_addr().unwrap().port().to_string();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /reserve HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{port}",
        port.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    bell.accept().await.unwrap();
}
