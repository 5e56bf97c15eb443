//! What the errors of a service are as answers: 504 where the time was up, whoever saw it and whatever became of the error.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_axum::{CtxLayer, Failure};
use ctxprop_reqwest::{Client, Error};

use common::serve;

/// An error of an application, with reqwest's among its kinds, as thiserror makes it.
#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("the stock does not answer")]
    Stock(#[from] Error),
    #[error("given up")]
    Cancelled(#[from] Cancelled),
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        Failure::from(self).into_response()
    }
}

/// A service that never answers.
async fn stock() -> String {
    let app = Router::new().route("/", get(std::future::pending::<String>));
    format!("http://{}/", serve(app).await)
}

async fn ask(url: &str) -> Result<String, Error> {
    let client = Client::builder().no_proxy().build()?;
    client.get(url).send().with(&Ctx::current()).await?.text().await
}

#[propagate]
async fn plainly(ctx: Ctx, url: String) -> Result<String, Error> {
    let _ = ctx;
    ask(&url).await
}

#[propagate]
async fn as_the_shop(ctx: Ctx, url: String) -> Result<String, ShopError> {
    let _ = ctx;
    Ok(ask(&url).await?)
}

#[propagate]
async fn boxed(ctx: Ctx, url: String) -> Result<String, Failure> {
    let _ = ctx;
    let asked: Result<_, Box<dyn std::error::Error + Send + Sync>> =
        ask(&url).await.map_err(Into::into);
    Ok(asked?)
}

#[propagate]
async fn with_anyhow(ctx: Ctx, url: String) -> Result<String, Failure> {
    let _ = ctx;
    Ok(ask(&url).await.context("the stock was asked")?)
}

#[propagate]
async fn of_anyhow_alone(ctx: Ctx, url: String) -> Result<String, Failure> {
    let _ = ctx;
    let asked: anyhow::Result<_> = ask(&url).await.map_err(|error| match error {
        Error::Cancelled(cancelled) => cancelled.into(),
        error => error.into(),
    });
    Ok(asked?)
}

/// The client's own deadline is the request's: it sees it as soon as the handler does.
#[tokio::test]
async fn a_deadline_is_504_whatever_became_of_the_error() {
    let url = stock().await;
    macro_rules! with_url {
        ($handler:ident) => {{
            let url = url.clone();
            get(async move |ctx: Ctx| $handler(ctx, url.clone()).await)
        }};
    }
    let app = Router::new()
        .route("/plainly", with_url!(plainly))
        .route("/as_the_shop", with_url!(as_the_shop))
        .route("/boxed", with_url!(boxed))
        .route("/with_anyhow", with_url!(with_anyhow))
        .route("/of_anyhow_alone", with_url!(of_anyhow_alone))
        .layer(CtxLayer::mesh().default_budget(Duration::from_millis(30)));
    let address = serve(app).await;
    for path in ["/plainly", "/as_the_shop", "/boxed", "/with_anyhow", "/of_anyhow_alone"] {
        let answer = common::get(address, path, &[]).await;
        assert_eq!(answer.status, 504, "{path}: {answer:?}");
        assert_eq!(answer.header("x-deadline-exceeded"), Some("server"), "{path}");
    }
}

#[tokio::test]
async fn what_is_found_is_found_in_the_error_itself_too() {
    let deadline = || Cancelled::new(ctxprop::Cause::DeadlineExceeded);
    let nested = anyhow::Error::from(deadline()).context("one").context("two");
    for failure in [
        Failure::from(deadline()),
        Failure::from(Error::from(deadline())),
        Failure::from(ShopError::from(Error::from(deadline()))),
        Failure::from(std::io::Error::from(deadline())),
        Failure::from(anyhow::Error::from(deadline())),
        Failure::from(nested),
    ] {
        assert_eq!(failure.cancelled(), Some(&deadline()), "{failure:?}");
        assert_eq!(failure.into_response().status(), 504);
    }
    let other = Failure::from("the key is 1234");
    assert_eq!(other.to_string(), "the key is 1234");
    let answer = other.into_response();
    assert_eq!(answer.status(), 500);
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body");
    assert_eq!(body.to_bytes(), "the service failed");
}

#[tokio::test]
async fn what_this_depends_on_is_502_or_504_and_nothing_is_told_of_it() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/?key=secret", nobody.local_addr().expect("bound"));
    drop(nobody);
    let error = Ctx::background().scope(ask(&url)).await.expect_err("nobody is there");
    let answer = error.into_response();
    assert_eq!(answer.status(), 502);
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body");
    assert_eq!(body.to_bytes(), "what this depends on failed");
    assert_eq!(Error::TimedOut.into_response().status(), 504);
}
