//! `serve`: clients that leave while nobody reads the body of their request, and connections that are upgraded.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocket;
use axum::extract::{Request, State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, post};
use bytes::Bytes;
use ctxprop::{Background, Cause, Ctx};
use ctxprop_axum::CtxLayer;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use served::{NEVER, Served, http2};

type Tell = UnboundedSender<String>;

async fn next(told: &mut UnboundedReceiver<String>) -> String {
    told.recv().await.expect("the server lives")
}

fn tells_its_end(ctx: &Ctx, tell: &Tell) {
    let tell = tell.clone();
    drop(ctx.on_done(move |cause| drop(tell.send(format!("ended: {cause}")))));
}

fn say(tell: &Tell, what: &str) {
    tell.send(what.to_owned()).expect("the test listens");
}

/// Does not take the body.
async fn ignores(ctx: Ctx, State(tell): State<Tell>) {
    tells_its_end(&ctx, &tell);
    say(&tell, "begun");
    std::future::pending::<()>().await;
}

/// Has the body, and does not read it.
async fn holds(ctx: Ctx, State(tell): State<Tell>, body: Body) {
    tells_its_end(&ctx, &tell);
    say(&tell, "begun");
    let _body = body;
    std::future::pending::<()>().await;
}

/// Reads a part of it.
async fn begins(ctx: Ctx, State(tell): State<Tell>, mut body: Body) {
    tells_its_end(&ctx, &tell);
    body.frame().await.expect("a frame").expect("of data");
    say(&tell, "begun");
    std::future::pending::<()>().await;
}

/// Reads it all and answers.
async fn counts(State(tell): State<Tell>, request: Request) -> String {
    say(&tell, "begun");
    let body = request.into_body().collect().await.expect("the body comes").to_bytes();
    body.len().to_string()
}

async fn session(ctx: Ctx, State(tell): State<Tell>, upgrade: WebSocketUpgrade) -> Response {
    tells_its_end(&ctx, &tell);
    upgrade.on_upgrade(move |socket| async move {
        say(&tell, "begun");
        let ended = ctx.run(echoes(socket)).await;
        say(&tell, if ended.is_ok() { "left" } else { "cut" });
    })
}

async fn echoes(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn house(layer: CtxLayer) -> (Served, UnboundedReceiver<String>) {
    let (tell, told) = unbounded_channel();
    let app = Router::new()
        .route("/ignores", post(ignores))
        .route("/holds", post(holds))
        .route("/begins", post(begins))
        .route("/counts", post(counts))
        .route("/session", any(session))
        .with_state(tell)
        .layer(layer);
    (Served::new(app, |serve| serve.drain(Duration::ZERO).unwind(NEVER)).await, told)
}

async fn upload(address: SocketAddr, path: &str, length: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&vec![b'x'; sent]).await.expect("sent");
    stream
}

const LEFT: &str = "ended: the client disconnected";

#[tokio::test]
async fn a_client_that_leaves_while_its_body_is_unread_is_seen() {
    let (served, mut told) = house(CtxLayer::mesh()).await;
    for path in ["/ignores", "/holds", "/begins"] {
        // All of it has come, or a part. (What fills the buffers of both kernels hides the end that comes after it.)
        for (length, sent) in
            [(10, 10), (1 << 20, 0), (1 << 20, 10), (1 << 20, 30_000), (30_000, 30_000)]
        {
            let sent = if path == "/begins" { sent.max(1) } else { sent };
            let client = upload(served.address, path, length, sent).await;
            assert_eq!(next(&mut told).await, "begun");
            drop(client);
            assert_eq!(next(&mut told).await, LEFT, "{path} {length} {sent}");
        }
    }
    assert!(served.end().await.is_clean());
}

#[tokio::test]
async fn so_is_one_over_http2() {
    let (served, mut told) = house(CtxLayer::mesh()).await;
    for path in ["/ignores", "/holds", "/begins"] {
        for (sent, goes_on) in [(10, true), (200_000, true), (10, false)] {
            let mut client = http2(served.address, 65_535).await;
            let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; sent]))]);
            let body = match goes_on {
                true => Body::from_stream(first.chain(stream::pending())),
                false => Body::from_stream(first),
            };
            let url = format!("http://localhost{path}");
            let request = http::Request::post(url).body(body).expect("a request");
            let answer = tokio::spawn(client.send_request(request));
            assert_eq!(next(&mut told).await, "begun");
            answer.abort();
            drop(client);
            assert_eq!(next(&mut told).await, LEFT, "{path} {sent} {goes_on}");
        }
    }
    assert!(served.end().await.is_clean());
}

/// The connection goes, and no stream was reset before.
#[tokio::test]
async fn so_is_an_http2_connection_that_breaks() {
    let (served, mut told) = house(CtxLayer::mesh()).await;
    for path in ["/ignores", "/holds", "/begins"] {
        let stream = TcpStream::connect(served.address).await.expect("the server listens");
        let stream = stream.into_std().expect("a socket");
        let broken = stream.try_clone().expect("the same socket");
        let stream = TcpStream::from_std(stream).expect("a socket");
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let handshake = hyper::client::conn::http2::handshake::<_, _, Body>(executor, io);
        let (mut client, connection) = handshake.await.expect("it speaks HTTP/2");
        tokio::spawn(connection);
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 200_000]))]);
        let body = Body::from_stream(first.chain(stream::pending()));
        let url = format!("http://localhost{path}");
        let request = http::Request::post(url).body(body).expect("a request");
        let answer = tokio::spawn(client.send_request(request));
        assert_eq!(next(&mut told).await, "begun");
        broken.shutdown(std::net::Shutdown::Both).expect("it was open");
        assert_eq!(next(&mut told).await, LEFT, "{path}");
        drop(answer);
    }
    assert!(served.end().await.is_clean());
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_not_taken_for_one_that_stopped() {
    let (served, mut told) = house(CtxLayer::mesh()).await;
    let mut client = upload(served.address, "/counts", 1_000, 10).await;
    assert_eq!(next(&mut told).await, "begun");
    for _ in 0..9 {
        tokio::task::yield_now().await;
        client.write_all(&[b'x'; 110]).await.expect("sent");
    }
    // The connection goes on as well.
    client
        .write_all(
            b"POST /counts HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx",
        )
        .await
        .expect("sent");
    let answers = common::read(client).await;
    assert_eq!(answers.status, 200);
    assert!(answers.body.starts_with("1000HTTP/1.1 200"), "{answers:?}");
    assert!(answers.body.ends_with("\r\n\r\n1"), "{answers:?}");
    assert!(served.end().await.is_clean());
}

async fn connect(address: SocketAddr) -> WebSocketStream<TcpStream> {
    try_connect(address, None).await.expect("a session")
}

/// None where the budget was too short for the handshake.
async fn try_connect(
    address: SocketAddr,
    budget: Option<String>,
) -> Option<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut request =
        tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(
            "ws://localhost/session",
        )
        .expect("a request");
    if let Some(budget) = budget {
        request.headers_mut().insert("x-timeout-ms", budget.parse().expect("a value"));
    }
    Some(client_async(request, stream).await.ok()?.0)
}

async fn echo(socket: &mut WebSocketStream<TcpStream>) {
    socket.send(Message::text("hello")).await.expect("sent");
    assert_eq!(socket.next().await.expect("open").expect("an echo"), Message::text("hello"));
}

#[tokio::test]
async fn a_session_lives_until_its_connection_is_dropped() {
    let (root, canceller) = Ctx::background().with_cancel();
    let (tell, mut told) = unbounded_channel();
    let app = Router::new().route("/session", any(session)).with_state(tell);
    let app = app.layer(CtxLayer::mesh());
    let served = Served::new(app, |serve| serve.under(&root, &canceller)).await;
    let mut socket = connect(served.address).await;
    assert_eq!(next(&mut told).await, "begun");
    echo(&mut socket).await;
    assert_eq!(root.live_children(), 1);
    drop(socket);
    assert_eq!(next(&mut told).await, "left");
    assert_eq!(next(&mut told).await, "ended: the request is over");
    assert_eq!(root.live_children(), 0);
    assert!(served.end().await.is_clean());
}

#[tokio::test]
async fn or_its_deadline_passes() {
    let (served, mut told) = house(CtxLayer::mesh()).await;
    let mut budget = 50;
    let _socket = loop {
        match try_connect(served.address, Some(budget.to_string())).await {
            Some(socket) => break socket,
            None => budget *= 2,
        }
    };
    let (mut cut, mut ended) = (false, false);
    while !(cut && ended) {
        match &*next(&mut told).await {
            "begun" => {}
            "cut" => cut = true,
            "ended: the deadline passed" => ended = true,
            other => panic!("{other}"),
        }
    }
    assert!(served.end().await.is_clean());
}

#[tokio::test]
async fn or_its_root_ends() {
    let (root, canceller) = Ctx::background().with_cancel();
    let (served, mut told) = house(CtxLayer::mesh().under(&root)).await;
    let mut socket = connect(served.address).await;
    assert_eq!(next(&mut told).await, "begun");
    echo(&mut socket).await;
    canceller.cancel_with(Cause::Shutdown);
    let mut all = [next(&mut told).await, next(&mut told).await];
    all.sort();
    assert_eq!(all, ["cut", "ended: the process is shutting down"]);
    assert!(served.end().await.is_clean());
}

/// RFC 8441: a stream of an HTTP/2 connection that others share.
#[tokio::test]
async fn over_http2_a_session_lives_as_long_as_its_stream() {
    let (served, mut told) = house(CtxLayer::mesh()).await;
    let mut client = http2(served.address, 65_535).await;
    let protocol = hyper::ext::Protocol::from_static("websocket");
    for _ in 0..2 {
        // A client may send it once it has seen the server's settings, so one request goes first.
        let settled = http::Request::get("http://localhost/none").body(Body::empty());
        client.send_request(settled.expect("a request")).await.expect("an answer");
        let request = http::Request::connect("http://localhost/session")
            .header("sec-websocket-version", "13")
            .extension(protocol.clone())
            .body(Body::empty());
        let answer = client.send_request(request.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let stream = hyper::upgrade::on(answer).await.expect("upgraded");
        assert_eq!(next(&mut told).await, "begun");
        drop(stream);
        let mut all = [next(&mut told).await, next(&mut told).await];
        all.sort();
        assert_eq!(all, ["ended: the request is over", "left"]);
    }
    assert!(served.end().await.is_clean());
}
