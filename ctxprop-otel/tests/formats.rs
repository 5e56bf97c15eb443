//! A propagator as a format of a real server and a real client.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(deprecated, reason = "opentelemetry-zipkin is, and has the only B3 there is")]

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use ctxprop::wire::Formats;
use ctxprop::{Background, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_otel::faults;
use ctxprop_reqwest::{Client, reqwest};

#[path = "support/common.rs"]
mod common;
#[path = "support/propagators.rs"]
mod propagators;

use common::serve;
use propagators::{B3, PANICS};

const WAY: common::Way = common::Way::Tracing;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

#[derive(Clone)]
struct Hop {
    client: Client,
    next: Option<String>,
}

/// The headers of the trace as the last hop got them, or what it made of them.
#[propagate]
async fn visit(ctx: Ctx, State(hop): State<Hop>, headers: HeaderMap) -> Result<String, String> {
    match &hop.next {
        Some(next) => ask(&hop.client, next).await.map_err(|error| error.to_string()),
        None => {
            let told =
                |name| headers.get(name).and_then(|line| line.to_str().ok()).unwrap_or("none");
            Ok(format!("{} {} {}", told("b3"), told("traceparent"), ctx.span().trace_id()))
        }
    }
}

#[propagate]
async fn ask(client: &Client, url: &str) -> Result<String, ctxprop_reqwest::Error> {
    client.get(url).send().await?.error_for_status()?.text().await
}

async fn chain(layer: CtxLayer, formats: Formats) -> String {
    let client = Client::builder().no_proxy().formats(formats).build().unwrap();
    let app = |next| {
        Router::new()
            .route("/", get(visit))
            .with_state(Hop { client: client.clone(), next })
            .layer(layer.clone().formats(formats))
    };
    let last = serve(app(None)).await;
    serve(app(Some(last))).await
}

async fn get_with(url: &str, headers: &[(&'static str, String)]) -> String {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        headers.iter().fold(http.get(url), |request, (name, value)| request.header(*name, value));
    request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

#[tokio::test]
async fn b3_goes_through_beside_traceparent() {
    let url = chain(CtxLayer::mesh(), Formats::new().with_format(&*B3)).await;
    let said = get_with(&url, &[("b3", format!("{TRACE}-{SPAN}-1"))]).await;
    let parts: Vec<_> = said.split(' ').collect();
    let ids = |line: &str| line.split('-').map(str::to_owned).collect::<Vec<_>>();
    let (b3, traceparent) = (ids(parts[0]), ids(parts[1]));
    assert_eq!((b3[0].as_str(), parts[2]), (TRACE, TRACE), "{said}");
    assert_eq!((&b3[0], &b3[1], &b3[2]), (&traceparent[1], &traceparent[2], &"1".to_owned()));
    assert_ne!(b3[1], SPAN, "a span of the hop's own");
}

#[tokio::test]
async fn a_stranger_joins_no_trace_by_it_either() {
    let url = chain(CtxLayer::edge(), Formats::new().with_format(&*B3)).await;
    let said = get_with(&url, &[("b3", format!("{TRACE}-{SPAN}-1"))]).await;
    assert!(!said.contains(TRACE), "{said}");
}

#[tokio::test]
async fn a_propagator_that_panics_hurts_no_request() {
    let before = faults().propagator_panics;
    let url = chain(CtxLayer::mesh(), Formats::new().with_format(&*PANICS)).await;
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let said = get_with(&url, &[("traceparent", parent)]).await;
    assert!(said.ends_with(TRACE), "{said}");
    // and what knows no context is no worse off
    let ctx = Ctx::background().child_span();
    let client = Client::builder().no_proxy().formats(Formats::new().with_format(&*PANICS));
    let said = ask(&client.build().unwrap(), &url).with(&ctx).await.unwrap();
    assert!(said.ends_with(&ctx.span().trace_id().to_string()), "{said}");
    assert!(faults().propagator_panics >= before + 6, "two servers and a client, twice");
}
