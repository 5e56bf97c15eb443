//! The order of layers: each row of the table in `docs/middleware.md`, outside of the layer and inside of it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/events.rs"]
mod events;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use events::Events;

const PAGE: &str = include_str!("../docs/middleware.md");

/// The first column of the table, in the order of the tests below.
#[test]
fn each_row_of_the_page_is_tested_here() {
    let (_, table) = PAGE.split_once("| --- |").expect("a table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let names: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let tested = [
        "TimeoutLayer",
        "TraceLayer",
        "CatchPanicLayer",
        "CompressionLayer",
        "ConcurrencyLimitLayer",
        "LoadShedLayer",
        "CorsLayer",
        "from_fn",
        "CtxLayer",
    ];
    assert_eq!(names, tested);
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn ask(budget: Option<&str>) -> Request {
    let mut request = Request::builder().uri("/").header("origin", "http://shop.example");
    if let Some(budget) = budget {
        request = request.header("x-timeout-ms", budget);
    }
    request.body(Body::empty()).expect("a request")
}

async fn answer(app: &Router, request: Request) -> Response {
    app.clone().oneshot(request).await.expect("infallible")
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

/// Waits, and tells whether it got to clean up, and what its context ended with.
#[propagate]
async fn reserves(ctx: Ctx, tell: UnboundedSender<String>) -> Result<(), Cancelled> {
    let told = tell.clone();
    drop(ctx.on_done(move |cause| drop(told.send(cause.to_string()))));
    let Err(cancelled) = waits().await else { return Ok(()) };
    ctx.shield(ms(1_000), async { drop(tell.send("released".to_owned())) }).await?;
    Err(cancelled)
}

fn reservations() -> (Router, UnboundedReceiver<String>) {
    let (tell, told) = unbounded_channel();
    (Router::new().route("/", get(move |ctx: Ctx| reserves(ctx, tell.clone()))), told)
}

#[tokio::test(start_paused = true)]
async fn timeout() {
    let root = Ctx::background().with_cancel().0;
    let timeout = || TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ms(10));
    let (app, mut told) = reservations();
    let outside = app.layer(CtxLayer::mesh().under(&root)).layer(timeout());
    assert_eq!(answer(&outside, ask(None)).await.status(), StatusCode::REQUEST_TIMEOUT);
    root.idle().await;
    let mut seen = [told.recv().await, told.recv().await].map(Option::unwrap_or_default);
    seen.sort();
    assert_eq!(seen, ["released", "the client disconnected"]);

    let (app, mut told) = reservations();
    let inside = app.layer(timeout()).layer(CtxLayer::mesh().under(&root));
    let answered = answer(&inside, ask(None)).await;
    assert_eq!(answered.status(), StatusCode::REQUEST_TIMEOUT);
    drop(answered);
    root.idle().await;
    assert_eq!(told.recv().await.as_deref(), Some("the request is over"));
    assert!(told.try_recv().is_err(), "nothing was released");
}

#[tokio::test]
async fn trace() {
    for (inside, expected) in [(false, false), (true, true)] {
        let has_context = Arc::new(AtomicBool::new(false));
        let sees = Arc::clone(&has_context);
        let layer = TraceLayer::new_for_http().make_span_with(move |_: &Request| {
            sees.store(Ctx::try_current().is_some(), Ordering::SeqCst);
            tracing::info_span!("theirs")
        });
        let app = Router::new().route("/", get(|| async {}));
        let app = match inside {
            true => app.layer(layer).layer(CtxLayer::mesh()),
            false => app.layer(CtxLayer::mesh()).layer(layer),
        };
        assert_eq!(answer(&app, ask(None)).await.status(), 200);
        assert_eq!(has_context.load(Ordering::SeqCst), expected, "inside: {inside}");
    }
}

async fn panics() {
    panic!("a bug, on purpose");
}

#[tokio::test]
async fn catch_panic() {
    let (events, _listens) = Events::listen();
    let root = Ctx::background().with_cancel().0;
    let ctx = || CtxLayer::mesh().under(&root);
    let app = || Router::new().route("/", get(panics));
    for (app, what, status) in [
        (app().layer(ctx()).layer(CatchPanicLayer::new()), "a request's handler panicked", None),
        (app().layer(CatchPanicLayer::new()).layer(ctx()), "a request is over", Some("500")),
    ] {
        let answered = answer(&app, ask(None)).await;
        assert_eq!(answered.status(), StatusCode::INTERNAL_SERVER_ERROR);
        drop(answered);
        assert_eq!(root.live_children(), 0);
        let told = events.next().await;
        assert_eq!((&*told.what, told.field("status")), (what, status));
    }
}

async fn first_and_no_end() -> Body {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from(vec![b'x'; 1_000]))]);
    Body::from_stream(first.chain(stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn compression() {
    let ctx = || CtxLayer::mesh().default_budget(ms(10));
    let app = || {
        let late = get(|ctx: Ctx| async move { ctx.run(std::future::pending::<()>()).await });
        Router::new().route("/", get(first_and_no_end)).route("/late", late)
    };
    for app in [
        app().layer(ctx()).layer(CompressionLayer::new()),
        app().layer(CompressionLayer::new()).layer(ctx()),
    ] {
        let request = |uri| {
            let request = Request::builder().uri(uri).header("accept-encoding", "gzip");
            request.body(Body::empty()).expect("a request")
        };
        let answered = answer(&app, request("/")).await;
        assert_eq!(answered.headers()["content-encoding"], "gzip");
        let cut = answered.into_body().collect().await;
        assert!(cut.is_err(), "half a body looks whole");
        // What the handler says at its deadline arrives.
        let answered = answer(&app, request("/late")).await;
        assert_eq!(answered.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(!answered.into_body().collect().await.expect("whole").to_bytes().is_empty());
    }
}

/// Holds its place for a second.
async fn works() {
    tokio::time::sleep(ms(1_000)).await;
}

/// The status of the second of two requests, which has half a second.
async fn second(app: Router) -> StatusCode {
    let first = tokio::spawn(app.clone().oneshot(ask(None)));
    tokio::task::yield_now().await;
    let status = answer(&app, ask(Some("1500"))).await.status();
    assert_eq!(first.await.expect("no panic").expect("infallible").status(), 200);
    status
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit() {
    let app = || Router::new().route("/", get(works));
    let limit = || GlobalConcurrencyLimitLayer::new(1);
    // Its second of waiting is not counted: 1.5 s are left for a second of work.
    let outside = app().layer(CtxLayer::mesh()).layer(limit());
    assert_eq!(second(outside).await, StatusCode::OK);
    // A second of waiting and half of its work.
    let inside = app().layer(limit()).layer(CtxLayer::mesh());
    assert_eq!(second(inside).await, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn load_shed() {
    let app = || Router::new().route("/", get(works));
    let limit = || GlobalConcurrencyLimitLayer::new(1);
    let busy = || HandleErrorLayer::new(|_| async { StatusCode::SERVICE_UNAVAILABLE });
    // The layer is always ready, so nothing is ever turned away: it waits, and its time passes.
    let layers = ServiceBuilder::new().layer(busy()).layer(LoadShedLayer::new());
    let outside = app().layer(layers.layer(CtxLayer::mesh()).layer(limit()));
    assert_eq!(second(outside).await, StatusCode::GATEWAY_TIMEOUT);
    let layers = ServiceBuilder::new().layer(CtxLayer::mesh()).layer(busy());
    let inside = app().layer(layers.layer(LoadShedLayer::new()).layer(limit()));
    assert_eq!(second(inside).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn cors() {
    let (events, _listens) = Events::listen();
    let app = || Router::new().route("/", get(|| async {}));
    let preflight = || {
        let request = Request::builder().method("OPTIONS").uri("/");
        let request = request.header("origin", "http://shop.example");
        let request = request.header("access-control-request-method", "GET");
        request.body(Body::empty()).expect("a request")
    };
    let allowed =
        |answered: &Response| answered.headers().contains_key("access-control-allow-origin");
    let outside = app().layer(CtxLayer::mesh()).layer(CorsLayer::permissive());
    assert!(allowed(&answer(&outside, preflight()).await));
    assert!(events.are_none(), "a preflight is no request of ours");
    let refused = answer(&outside, ask(Some("0"))).await;
    assert_eq!((refused.status(), allowed(&refused)), (StatusCode::GATEWAY_TIMEOUT, true));
    assert_eq!(events.next().await.what, "a request was refused");

    let inside = app().layer(CorsLayer::permissive()).layer(CtxLayer::mesh());
    assert!(allowed(&answer(&inside, preflight()).await));
    assert_eq!(events.next().await.what, "a request is over");
    let refused = answer(&inside, ask(Some("0"))).await;
    assert_eq!((refused.status(), allowed(&refused)), (StatusCode::GATEWAY_TIMEOUT, false));
}

#[propagate]
async fn names_the_locale(ctx: Ctx, request: Request, next: Next) -> Response {
    ctx.with_value("de").scope(next.run(request)).await
}

#[tokio::test]
async fn middleware() {
    async fn locale(ctx: Ctx) -> &'static str {
        ctx.value::<&'static str>().copied().unwrap_or("none")
    }
    let app = || Router::new().route("/", get(locale));
    let outside = app().layer(CtxLayer::mesh()).layer(from_fn(names_the_locale));
    assert_eq!(answer(&outside, ask(None)).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let inside = app().layer(from_fn(names_the_locale)).layer(CtxLayer::mesh());
    let body = answer(&inside, ask(None)).await.into_body().collect().await;
    assert_eq!(body.expect("a body").to_bytes(), "de");
}

#[tokio::test]
async fn another_layer() {
    async fn left(ctx: Ctx) -> String {
        ctx.remaining().map_or("none".to_owned(), |left| format!("{}", left <= ms(1_000)))
    }
    let app = || Router::new().route("/", get(left));
    let short = || CtxLayer::mesh().default_budget(ms(1_000));
    let long = || CtxLayer::mesh().default_budget(ms(60_000));
    for app in [app().layer(short()).layer(long()), app().layer(long()).layer(short())] {
        let body = answer(&app, ask(None)).await.into_body().collect().await;
        assert_eq!(body.expect("a body").to_bytes(), "true");
    }
}
