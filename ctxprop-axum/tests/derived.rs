//! Contexts below that of the request: a layer inside a layer, middleware that derives one; and what becomes of a request
//! whose connection is upgraded, whose caller hangs up at its deadline, or whose handler panics inside of the layer.
#![allow(clippy::expect_used, reason = "it is a test")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use http::StatusCode;
use tokio::sync::mpsc;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn request(headers: &[(&str, &str)]) -> Request {
    let builder = headers
        .iter()
        .fold(Request::builder().uri("/"), |builder, (name, value)| builder.header(*name, *value));
    builder.body(Body::empty()).expect("a request")
}

/// Answers by handing the context out.
fn hands_out() -> (Router, mpsc::UnboundedReceiver<Ctx>) {
    let (tell, told) = mpsc::unbounded_channel();
    let handler = async move |ctx: Ctx| tell.send(ctx).expect("the test listens");
    (Router::new().route("/", get(handler)), told)
}

#[tokio::test]
async fn a_layer_inside_a_layer_believes_no_more_than_that_one() {
    let (app, mut seen) = hands_out();
    let app = app.layer(CtxLayer::mesh()).layer(CtxLayer::edge().max_budget(ms(1_000)));
    let headers = [("traceparent", PARENT), ("baggage", "tenant=evil"), ("x-timeout-ms", "60000")];
    let response = app.oneshot(request(&headers)).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::OK);
    let ctx = seen.recv().await.expect("it was called");
    assert!(ctx.baggage_map().is_empty());
    assert_ne!(ctx.span().trace_id().to_string(), PARENT[3..35]);
    assert!(ctx.remaining().is_some_and(|left| left <= ms(1_000)));
    drop(response);
    assert_eq!(ctx.cause(), Some(Cause::Finished));
}

#[tokio::test]
async fn a_layer_inside_a_layer_may_believe_less() {
    let (app, mut seen) = hands_out();
    let inner = CtxLayer::edge().accept_baggage(["user"]).max_budget(ms(500));
    let app = app.layer(inner).layer(CtxLayer::mesh());
    let headers = [("baggage", "tenant=acme,user=7"), ("x-timeout-ms", "60000")];
    drop(app.oneshot(request(&headers)).await);
    let ctx = seen.recv().await.expect("it was called");
    assert_eq!(ctx.baggage_map().iter().collect::<Vec<_>>(), [("user", "7")]);
    assert!(ctx.remaining().is_some_and(|left| left <= ms(500)));
}

#[propagate]
async fn adds_a_value(ctx: Ctx, request: Request, next: Next) -> Response {
    ctx.with_value("de").scope(next.run(request)).await
}

#[tokio::test]
async fn below_middleware_that_derives_a_context_extractors_have_it() {
    let (app, mut seen) = hands_out();
    let app = app.layer(from_fn(adds_a_value)).layer(CtxLayer::mesh());
    drop(app.oneshot(request(&[])).await);
    let ctx = seen.recv().await.expect("it was called");
    assert_eq!(ctx.value::<&str>(), Some(&"de"));
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[propagate(budget = "20ms")]
async fn grants_little(ctx: Ctx, request: Request, next: Next) -> Response {
    let _ = ctx;
    next.run(request).await
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_a_middleware_unwinds_the_handler() {
    let released = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&released);
    let handler = move |ctx: Ctx| handle(ctx, Arc::clone(&flag));
    let app = Router::new()
        .route("/", get(handler))
        .layer(from_fn(grants_little))
        .layer(CtxLayer::mesh());
    let response = app.oneshot(request(&[])).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(released.load(Ordering::SeqCst));
}

#[propagate]
async fn handle(ctx: Ctx, released: Arc<AtomicBool>) -> Result<(), Cancelled> {
    match waits().await {
        Ok(()) => Ok(()),
        Err(error) => {
            ctx.shield(ms(1_000), async {
                tokio::task::yield_now().await;
                released.store(true, Ordering::SeqCst);
            })
            .await?;
            Err(error)
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_as_its_time_is_up_had_no_more_time() {
    for (after, cause) in [(40_000, Cause::Disconnected), (49_500, Cause::DeadlineExceeded)] {
        let (tell, mut told) = mpsc::unbounded_channel();
        let waits = service_fn(move |request: Request| {
            let ctx = request.extensions().get::<Ctx>().cloned().expect("the layer");
            tell.send(ctx).expect("the test listens");
            std::future::pending::<Result<Response, Infallible>>()
        });
        let mut service = CtxLayer::mesh().layer(waits);
        let answer =
            service.ready().await.expect("infallible").call(request(&[("x-timeout-ms", "50")]));
        let ctx = told.recv().await.expect("it was called");
        tokio::time::advance(Duration::from_micros(after)).await;
        drop(answer);
        assert_eq!(ctx.cause(), Some(cause));
    }
}

#[tokio::test]
async fn an_upgrade_ends_no_request() {
    let root = Ctx::background().with_cancel();
    let (tell, mut told) = mpsc::unbounded_channel();
    let handler = async move |ctx: Ctx| {
        tell.send(ctx).expect("the test listens");
        StatusCode::SWITCHING_PROTOCOLS
    };
    let app = Router::new().route("/", get(handler)).layer(CtxLayer::mesh().under(&root.0));
    drop(app.oneshot(request(&[])).await);
    let session = told.recv().await.expect("it was called");
    assert_eq!(session.cause(), None);
    root.1.cancel_with(Cause::Shutdown);
    assert_eq!(session.cause(), Some(Cause::Shutdown));
}

#[propagate]
async fn panics(ctx: Ctx) -> Result<String, Cancelled> {
    drop(ctx.spawn(waits()));
    panic!("a bug, on purpose");
}

#[tokio::test]
async fn a_panic_that_is_caught_inside_of_the_layer_ends_its_request_too() {
    let root = Ctx::background().with_cancel().0;
    let app = Router::new()
        .route("/", get(panics))
        .layer(CatchPanicLayer::new())
        .layer(CtxLayer::mesh().under(&root));
    let response = app.oneshot(request(&[])).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    drop(response);
    root.idle().await;
    assert_eq!((root.live_children(), root.live_tasks()), (0, 0));
}
