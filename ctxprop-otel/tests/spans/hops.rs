//! Hops over real sockets, each of which may ask the next one: what the suites of spans go through.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::Client;

pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const CALLER: &str = "b7ad6b7169203331";

#[derive(Clone)]
pub(crate) struct Hop {
    client: Client,
    next: Option<String>,
    /// The `traceparent` of each request that came.
    pub(crate) came: Arc<Mutex<Vec<String>>>,
}

pub(crate) type Failure = (axum::http::StatusCode, String);

#[propagate]
async fn visit(ctx: Ctx, State(hop): State<Hop>, headers: HeaderMap) -> Result<String, Failure> {
    let came = headers.get("traceparent").map(|line| line.to_str().unwrap().to_owned());
    hop.came.lock().unwrap().push(came.unwrap_or_default());
    assert!(ctx.span().is_valid());
    match &hop.next {
        Some(next) => instrumented(&hop.client, next).await,
        None => Ok("done".to_owned()),
    }
}

#[tracing::instrument(skip_all, fields(n = 1))]
#[propagate]
async fn instrumented(client: &Client, next: &str) -> Result<String, Failure> {
    spanned(client, next).await
}

#[propagate(span = "spanned", fields(n = 2))]
async fn spanned(client: &Client, next: &str) -> Result<String, Failure> {
    ask(client, next).await
}

#[propagate]
async fn ask(client: &Client, url: &str) -> Result<String, Failure> {
    let failed = |error: ctxprop_reqwest::Error| (error.http_status(), error.to_string());
    let response = client.get(url).send().await.map_err(failed)?;
    response.error_for_status().map_err(failed)?.text().await.map_err(failed)
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

pub(crate) fn hop(next: Option<String>) -> Hop {
    Hop { client: client(), next, came: Arc::default() }
}

pub(crate) fn app(hop: &Hop) -> Router {
    Router::new()
        .route("/visits/{id}", get(visit))
        .with_state(hop.clone())
        .layer(CtxLayer::mesh().default_budget(Duration::from_secs(60)))
}

pub(crate) async fn get_with(url: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    let http = ctxprop_reqwest::reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        headers.iter().fold(http.get(url), |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
