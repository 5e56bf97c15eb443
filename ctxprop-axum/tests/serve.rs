//! `serve`: how it ends, over HTTP/1 and HTTP/2, with all sorts of work in flight.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "support/served.rs"]
mod served;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocket;
use axum::extract::{State, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use futures_util::{Stream, StreamExt, stream};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use served::{NEVER, Served, http2};

/// What the handlers tell, and what lets them go on.
#[derive(Clone)]
struct House {
    tell: UnboundedSender<String>,
    go: watch::Receiver<bool>,
}

impl House {
    fn new() -> (House, UnboundedReceiver<String>, watch::Sender<bool>) {
        let (tell, told) = unbounded_channel();
        let (going, go) = watch::channel(false);
        (House { tell, go }, told, going)
    }

    fn tell(&self, what: impl Into<String>) {
        self.tell.send(what.into()).expect("the test listens");
    }
}

async fn next(told: &mut UnboundedReceiver<String>) -> String {
    told.recv().await.expect("the server lives")
}

/// Until `expected` was told: whatever comes before it.
async fn until(told: &mut UnboundedReceiver<String>, expected: &str) {
    while next(told).await != expected {}
}

/// Answers once it may.
async fn slow(State(mut house): State<House>) -> &'static str {
    house.tell("slow");
    house.go.wait_for(|go| *go).await.expect("the test says when");
    "done"
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

/// Waits for ever, and cleans up.
#[propagate]
async fn reserves(ctx: Ctx, State(house): State<House>) -> Result<String, Cancelled> {
    house.tell("reserved");
    let Err(cancelled) = waits().await else { return Ok("never".to_owned()) };
    let release = async {
        tokio::task::yield_now().await;
        house.tell("released");
    };
    ctx.shield(NEVER, release).await?;
    Err(cancelled)
}

/// Events without end.
async fn events(
    ctx: Ctx,
    State(house): State<House>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let told = house.clone();
    drop(ctx.on_done(move |cause| drop(told.tell.send(format!("events: {cause}")))));
    house.tell("events");
    let first = stream::iter([Ok(Event::default().data("first"))]);
    Sse::new(first.chain(stream::pending()))
}

/// A session that ends with its context.
async fn session(ctx: Ctx, State(house): State<House>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        let ended = ctx.run(echoes(socket)).await;
        house.tell(format!("session: {ended:?} {}", ctx.done().await));
    })
}

async fn echoes(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Leaves a job behind that never ends.
async fn leaves_a_job(ctx: Ctx) {
    drop(ctx.detach("a job that never ends").spawn(std::future::pending::<()>()));
}

/// Never lets go.
async fn stuck(ctx: Ctx, State(house): State<House>) {
    let told = house.clone();
    drop(ctx.on_done(move |cause| drop(told.tell.send(format!("stuck: {cause}")))));
    house.tell("stuck");
    let _ = ctx.shield(NEVER, std::future::pending::<()>()).await;
}

/// A body that is always ready.
async fn export(State(house): State<House>) -> Body {
    house.tell("export");
    let chunk = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    Body::from_stream(stream::repeat(chunk).map(Ok::<_, Infallible>))
}

fn app(house: House, layer: CtxLayer) -> Router {
    Router::new()
        .route("/slow", get(slow))
        .route("/reserves", get(reserves))
        .route("/events", get(events))
        .route("/session", get(session).connect(session))
        .route("/job", get(leaves_a_job))
        .route("/stuck/{id}", get(stuck))
        .route("/export", get(export))
        .with_state(house)
        .layer(layer)
}

fn ask(path: &str) -> Request<Body> {
    Request::get(format!("http://localhost{path}")).body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn requests_in_flight_are_answered_and_no_new_ones_are_taken() {
    let (house, mut told, go) = House::new();
    let served = Served::new(app(house, CtxLayer::mesh()), |serve| serve.drain(NEVER)).await;
    let first = common::send(served.address, "/slow", &[]).await;
    let mut second = http2(served.address, 65_535).await;
    let answer = tokio::spawn(second.send_request(ask("/slow")));
    next(&mut told).await;
    next(&mut told).await;
    let server = served.stop().await;
    go.send_replace(true);
    assert_eq!(common::read(first).await.body, "done");
    let answer = answer.await.expect("sent").expect("an answer");
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "done");
    let drained = server.await.expect("the server does not panic");
    assert!(drained.is_clean(), "{drained:?}");
}

#[tokio::test]
async fn what_does_not_end_by_itself_is_told_to_and_unwinds() {
    let (house, mut told, _go) = House::new();
    let served = Served::new(app(house, CtxLayer::mesh()), |serve| {
        serve.drain(Duration::ZERO).unwind(NEVER)
    });
    let served = served.await;
    let first = common::send(served.address, "/reserves", &[]).await;
    let mut second = http2(served.address, 65_535).await;
    let answer = tokio::spawn(second.send_request(ask("/reserves")));
    let events = second.send_request(ask("/events"));
    let mut events = events.await.expect("an answer").into_body();
    assert!(events.frame().await.expect("a frame").is_ok());
    let mut others = common::send(served.address, "/events", &[]).await;
    until(&mut told, "events").await;
    until(&mut told, "events").await;
    let stream = TcpStream::connect(served.address).await.expect("the server listens");
    let url = "ws://localhost/session";
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("a session");
    let text = tokio_tungstenite::tungstenite::Message::text("hello");
    futures_util::SinkExt::send(&mut socket, text.clone()).await.expect("sent");
    assert_eq!(socket.next().await.expect("a message").expect("an echo"), text);

    let drained = served.end().await;
    assert!(drained.is_clean(), "{drained:?}");
    let answers = [common::read(first).await.status, {
        let answer = answer.await.expect("sent").expect("an answer");
        answer.status().as_u16()
    }];
    assert_eq!(answers, [503, 503]);
    assert!(events.frame().await.is_none_or(|frame| frame.is_err()));
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut others, &mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "half a body looks whole");
    assert!(!matches!(socket.next().await, Some(Ok(m)) if !m.is_close()));
    let mut all: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
    all.sort();
    let shutdown = "the process is shutting down";
    let session = format!("session: Err(Cancelled {{ cause: Shutdown, budget: None }}) {shutdown}");
    let events = format!("events: {shutdown}");
    assert_eq!(all, [&*events, &*events, "released", "released", &*session]);
}

#[tokio::test]
async fn what_does_not_unwind_is_named() {
    let (house, mut told, _go) = House::new();
    let served = Served::new(app(house, CtxLayer::mesh()), |serve| {
        serve.drain(Duration::ZERO).unwind(Duration::from_millis(50))
    });
    let served = served.await;
    assert_eq!(common::get(served.address, "/job", &[]).await.status, 200);
    let gone = common::send(served.address, "/stuck/1", &[]).await;
    assert_eq!(next(&mut told).await, "stuck");
    // Its client leaves: the handler goes on in a task of its own, and is named all the same.
    drop(gone);
    assert_eq!(next(&mut told).await, "stuck: the client disconnected");
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let here = common::send(served.address, "/stuck/2", &[("traceparent", parent)]).await;
    let mut http2 = http2(served.address, 65_535).await;
    let there = tokio::spawn(http2.send_request(ask("/stuck/3")));
    next(&mut told).await;
    next(&mut told).await;
    let drained = served.end().await;
    assert!(!drained.is_clean());
    let stragglers = drained.stragglers();
    assert_eq!(stragglers.len(), 3, "{drained:?}");
    assert!(stragglers.iter().all(|one| one.route() == Some("/stuck/{id}")));
    let shut_down = stragglers.iter().filter(|one| one.cause() == Some(&Cause::Shutdown));
    assert_eq!(shut_down.count(), 2, "{drained:?}");
    let one = stragglers.iter().find(|one| one.trace_id().to_string() == parent[3..35]);
    let text = one.expect("the trace that was brought").to_string();
    assert!(text.starts_with("GET /stuck/{id}, ") && text.ends_with(&parent[3..35]), "{text}");
    // The job, and the handler whose client left.
    let tasks = drained.tasks();
    let mut reasons: Vec<_> = tasks.iter().filter_map(|task| task.reason()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["a job that never ends", "unwinding after a disconnect"], "{tasks:?}");
    let job = tasks.iter().find(|task| task.reason() == Some(reasons[0])).expect("the job");
    let text = job.to_string();
    let (place, trace) = text.split_once(", trace ").expect("its trace");
    assert!(place.starts_with("\"a job that never ends\", spawned at "), "{text}");
    assert!(place.contains("serve.rs:") && trace.len() == 32, "{text}");
    drop((here, there));
}

#[tokio::test]
async fn a_reader_that_stalls_is_closed_when_its_context_has_ended() {
    let (other, canceller) = Ctx::background().with_cancel();
    let (house, mut told, _go) = House::new();
    let app = app(house, CtxLayer::mesh().under(&other));
    let served = Served::new(app, |serve| serve.drain(NEVER)).await;
    let stalled = common::send(served.address, "/export", &[]).await;
    until(&mut told, "export").await;
    canceller.cancel();
    // It waits for this connection, which its peer neither reads nor closes.
    let drained = served.end().await;
    assert!(drained.is_clean(), "{drained:?}");
    drop(stalled);
}

/// The body is handed over in one piece, so the request is over at once. What is left of it is hyper's, and is sent no longer
/// than the request would have been.
#[tokio::test]
async fn so_is_one_whose_body_was_handed_over_before() {
    let whole = || async { Body::from(vec![b'x'; 64 << 20]) };
    let app = Router::new().route("/", get(whole)).layer(CtxLayer::mesh());
    let served = Served::new(app, |serve| serve.drain(NEVER)).await;
    let stalled = common::send(served.address, "/", &[("x-timeout-ms", "50")]).await;
    let mut client = http2(served.address, 1 << 30).await;
    let mut request = ask("/");
    request.headers_mut().insert("x-timeout-ms", "50".parse().expect("a value"));
    let answer = client.send_request(request).await.expect("an answer");
    stalled.readable().await.expect("it begins");
    let drained = served.end().await;
    assert!(drained.is_clean(), "{drained:?}");
    drop((stalled, answer));
}

/// Who reads gets all of it.
#[tokio::test]
async fn a_body_that_is_read_in_time_arrives_whole() {
    let whole = || async { Body::from(vec![b'x'; 8 << 20]) };
    let app = Router::new().route("/", get(whole)).layer(CtxLayer::mesh());
    let served = Served::new(app, |serve| serve.drain(NEVER)).await;
    let answer = common::get(served.address, "/", &[("x-timeout-ms", "3600000")]).await;
    assert_eq!(answer.body.len(), 8 << 20);
    assert!(served.end().await.is_clean());
}

#[tokio::test]
async fn so_is_an_http2_stream_whose_window_is_zero() {
    let (other, canceller) = Ctx::background().with_cancel();
    let (house, mut told, go) = House::new();
    let stalls = Router::new().route("/export", get(export)).with_state(house.clone());
    let app = Router::new()
        .merge(stalls.layer(CtxLayer::mesh().under(&other)))
        .merge(Router::new().route("/slow", get(slow)).with_state(house).layer(CtxLayer::mesh()));
    let served = Served::new(app, |serve| serve.drain(NEVER)).await;
    let mut client = http2(served.address, 0).await;
    let answer = client.send_request(ask("/export")).await.expect("an answer");
    until(&mut told, "export").await;
    let also = tokio::spawn(client.send_request(ask("/slow")));
    until(&mut told, "slow").await;
    canceller.cancel();
    // This one stream is reset, and the others are not.
    let failed = answer.into_body().collect().await.expect_err("it is reset");
    let reason = std::error::Error::source(&failed).expect("a reason").to_string();
    assert!(reason.contains("stream no longer needed"), "{reason}");
    go.send_replace(true);
    assert_eq!(also.await.expect("sent").expect("an answer").status(), StatusCode::OK);
    let drained = served.end().await;
    assert!(drained.is_clean(), "{drained:?}");
}

#[tokio::test]
async fn a_root_of_ones_own_ends_with_the_server_and_the_server_with_it() {
    let (root, canceller) = Ctx::background().with_cancel();
    let job = root.spawn(std::future::pending::<()>());
    let (house, ..) = House::new();
    let served = Served::new(app(house, CtxLayer::mesh()), |serve| serve.under(&root, &canceller));
    let drained = served.await.end().await;
    assert!(drained.is_clean(), "{drained:?}");
    assert_eq!(job.await.expect_err("it ended").cause(), &Cause::Shutdown);

    let (root, canceller) = Ctx::background().with_cancel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = ctxprop_axum::serve(listener, Router::new()).under(&root, &canceller);
    canceller.cancel();
    assert!(server.await.is_clean());
}

#[tokio::test]
async fn requests_under_another_root_are_told_too_and_its_tasks_waited_for() {
    let other = Ctx::background().with_cancel().0;
    let (house, mut told, _go) = House::new();
    let app = app(house, CtxLayer::mesh().under(&other));
    let served = Served::new(app, |serve| serve.drain(Duration::ZERO).unwind(NEVER)).await;
    let stream = common::send(served.address, "/reserves", &[]).await;
    assert_eq!(next(&mut told).await, "reserved");
    let drained = served.end().await;
    assert!(drained.is_clean(), "{drained:?}");
    assert_eq!(common::read(stream).await.status, 503);
    assert_eq!((other.live_tasks(), other.is_done()), (0, false));
}

#[tokio::test]
async fn connect_info_is_there() {
    use axum::extract::ConnectInfo;
    async fn whence(ConnectInfo(from): ConnectInfo<std::net::SocketAddr>) -> impl IntoResponse {
        from.ip().to_string()
    }
    let app = Router::new().route("/", get(whence)).layer(CtxLayer::edge());
    let served = Served::new(app, |serve| serve).await;
    assert_eq!(common::get(served.address, "/", &[]).await.body, "127.0.0.1");
    assert!(served.end().await.is_clean());
}
