//! `handler`: handlers that do not name their context, on a real server.

#![allow(clippy::expect_used, reason = "a test may panic")]

#[path = "support/common.rs"]
mod common;

use std::net::SocketAddr;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use common::serve;
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_axum::{Baggage, CtxLayer, handler, routing};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Clone)]
struct Shop {
    name: &'static str,
}

#[derive(ctxprop::Baggage)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user_id: u64,
}

/// Reads the context that was passed on to it.
#[propagate]
async fn trace_id() -> String {
    Ctx::current().span().trace_id().to_string()
}

#[propagate]
async fn nothing() -> String {
    trace_id().await
}

#[propagate]
async fn adds(
    State(shop): State<Shop>,
    Path(id): Path<u64>,
    Baggage(caller): Baggage<Caller>,
    Json(amounts): Json<Vec<u64>>,
) -> Result<Json<u64>, Cancelled> {
    assert_eq!((shop.name, caller.user_id), ("books", 7));
    assert!(trace_id().await.starts_with("0af7"));
    Ok(Json(id + amounts.iter().sum::<u64>()))
}

#[propagate]
#[expect(clippy::too_many_arguments, reason = "as many as axum takes")]
async fn sixteen(
    _: Method,
    _: Uri,
    _: HeaderMap,
    State(shop): State<Shop>,
    Path(id): Path<u64>,
    _: Query<Vec<(String, String)>>,
    Extension(ctx): Extension<Ctx>,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    body: String,
) -> String {
    assert_eq!(ctx.span().trace_id(), Ctx::current().span().trace_id());
    format!("{}{id}{body}", shop.name)
}

/// Cannot say `Cancelled`.
#[propagate]
async fn pends() -> String {
    std::future::pending().await
}

#[propagate]
async fn falls_back() -> String {
    match waits().await {
        Ok(()) => "never".to_owned(),
        Err(cancelled) => format!("fell back: {}", cancelled.cause()),
    }
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

/// Gives what is inside a child that has ended.
async fn ended(mut request: Request, next: Next) -> Response {
    let parent: Ctx = request.extensions().get().cloned().expect("the layer is outside");
    let (child, canceller) = parent.with_cancel();
    canceller.cancel();
    request.extensions_mut().insert(child);
    next.run(request).await
}

async fn house() -> SocketAddr {
    let app = Router::new()
        .route("/nothing", get(handler(nothing)))
        .route("/adds/{id}", post(handler(adds)))
        .route("/sixteen/{id}", post(handler(sixteen)))
        .route("/pends", get(handler(pends)))
        .route("/falls-back", get(handler(falls_back)))
        .route("/routed/{id}", routing::get(named).post(handler(adds)))
        .route("/routed", routing::get(nothing))
        .route("/sum/{id}", routing::post(adds))
        .route("/closure", routing::get(|uri: Uri| async move { uri.path().to_owned() }))
        .route("/ended", get(handler(pends)).layer(middleware::from_fn(ended)))
        .layer(CtxLayer::mesh())
        .with_state(Shop { name: "books" });
    serve(app).await
}

async fn start_post(address: SocketAddr, path: &str, more: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         traceparent: {PARENT}\r\n{more}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

#[tokio::test]
async fn a_handler_reads_the_context_of_its_request() {
    let answer = common::get(house().await, "/nothing", &[("traceparent", PARENT)]).await;
    assert_eq!((answer.status, &*answer.body), (200, "0af7651916cd43dd8448eb211c80319c"));
}

#[propagate]
async fn named(ctx: Ctx, Path(id): Path<u64>) -> String {
    format!("{id} {}", ctx.span().trace_id())
}

#[tokio::test]
async fn the_routing_functions_take_both_forms() {
    let address = house().await;
    let trace = [("traceparent", PARENT)];
    for (path, body) in [
        ("/routed/1", "1 0af7651916cd43dd8448eb211c80319c"),
        ("/routed", "0af7651916cd43dd8448eb211c80319c"),
        ("/closure", "/closure"),
    ] {
        let answer = common::get(address, path, &trace).await;
        assert_eq!((answer.status, &*answer.body), (200, body));
    }
    let more = "content-length: 7\r\nbaggage: user.id=7\r\n";
    for path in ["/routed/1", "/sum/1"] {
        let answer = common::read(start_post(address, path, more, "[2,3,4]").await).await;
        assert_eq!((answer.status, &*answer.body), (200, "10"));
    }
}

#[tokio::test]
async fn state_path_baggage_and_json_are_extracted() {
    let more = "content-length: 7\r\nbaggage: user.id=7\r\n";
    let answer = common::read(start_post(house().await, "/adds/1", more, "[2,3,4]").await).await;
    assert_eq!((answer.status, &*answer.body), (200, "10"));
}

#[tokio::test]
async fn a_rejection_is_the_answer() {
    let address = house().await;
    let more = "content-length: 3\r\nbaggage: user.id=7\r\n";
    let answer = common::read(start_post(address, "/adds/1", more, "[2,").await).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let more = "content-length: 2\r\nbaggage: user.id=x\r\n";
    let answer = common::read(start_post(address, "/adds/1", more, "[]").await).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("user.id"), "{answer:?}");
}

#[tokio::test]
async fn sixteen_extractors() {
    let more = "content-length: 1\r\n";
    let answer = common::read(start_post(house().await, "/sixteen/4", more, "!").await).await;
    assert_eq!((answer.status, &*answer.body), (200, "books4!"));
}

#[tokio::test]
async fn a_deadline_ends_the_extractors_too() {
    // The body never comes.
    let more = "content-length: 7\r\nbaggage: user.id=7\r\nx-timeout-ms: 20\r\n";
    let answer = common::read(start_post(house().await, "/adds/1", more, "").await).await;
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(answer.header("x-deadline-exceeded"), Some("caller"));
}

#[tokio::test]
async fn a_handler_that_cannot_say_cancelled_is_dropped_and_one_that_can_answers() {
    let address = house().await;
    let answer = common::get(address, "/pends", &[("x-timeout-ms", "20")]).await;
    assert_eq!(answer.status, 504, "{answer:?}");
    let answer = common::get(address, "/falls-back", &[("x-timeout-ms", "20")]).await;
    assert!(answer.body.starts_with("fell back"), "{answer:?}");
}

#[tokio::test]
async fn the_context_is_that_of_the_request_where_a_middleware_changed_it() {
    let answer = common::get(house().await, "/ended", &[]).await;
    assert_eq!(answer.status, 499, "{answer:?}");
}

#[tokio::test]
async fn without_the_layer_the_answer_says_so() {
    let address = serve(Router::new().route("/", get(handler(nothing)))).await;
    let answer = common::get(address, "/", &[]).await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("CtxLayer::edge()"), "{answer:?}");
}
