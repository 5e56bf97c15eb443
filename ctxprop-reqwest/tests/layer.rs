//! The layer around hyper-util's client, and around a service that is no client at all, against real servers.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use common::{Server, status};
use ctxprop::{Background, Baggage, Cancelled, Ctx};
use ctxprop_reqwest::layer::{BoxError, Handed};
use ctxprop_reqwest::{Client, Error};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Baggage)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user_id: u64,
}

fn hyper(builder: ctxprop_reqwest::ClientBuilder) -> Handed<Hyper<HttpConnector, Full<Bytes>>> {
    let layer = builder.build_layer().expect("a layer");
    layer.layer(Hyper::builder(TokioExecutor::new()).build_http())
}

fn get(url: String) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).expect("a request")
}

fn end(error: &BoxError) -> Option<&Cancelled> {
    Cancelled::find_in(error.as_ref())
}

#[tokio::test]
async fn a_peer_is_told_trace_budget_and_baggage() {
    let mut server = Server::ok().await;
    let ctx = Ctx::background().with_timeout(Duration::from_secs(60)).child_span();
    let ctx = ctx.with_baggage(&Caller { user_id: 7 }).expect("it fits");
    let client = hyper(Client::builder());
    let mut request = get(server.url("/orders?x=1"));
    request.headers_mut().insert("grpc-timeout", "9H".parse().expect("a value"));
    let answer = ctx.scope(client.oneshot(request)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let seen = server.next().await;
    let (trace, span) = seen.trace();
    assert_eq!(trace, ctx.span().trace_id().to_string());
    assert_ne!(span, ctx.span().span_id().to_string());
    assert!((50_000..60_000).contains(&seen.millis()));
    assert_eq!(seen.header("baggage"), Some("user.id=7"));
    assert!(!seen.has("grpc-timeout"), "another request's budget");
}

/// What a service sees that is asked for a host, whoever that is.
async fn told(url: &str, builder: ctxprop_reqwest::ClientBuilder) -> Result<String, BoxError> {
    let tells = service_fn(|request: Request<()>| async move {
        let has = |name| request.headers().contains_key(name);
        let told = ["traceparent", "x-timeout-ms", "baggage"].map(has);
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(format!("{told:?}")))))
    });
    let client = builder.build_layer()?.layer(tells);
    let ctx = Ctx::background().with_timeout(Duration::from_secs(60));
    let ctx = ctx.with_baggage(&Caller { user_id: 7 })?;
    let answer = ctx.scope(client.oneshot(Request::get(url).body(())?)).await?;
    Ok(String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?)
}

#[tokio::test]
async fn each_host_is_told_what_its_zone_allows() {
    for (url, expected) in [
        ("http://stock/", "[true, true, true]"),
        ("http://10.1.2.3:8080/", "[true, true, true]"),
        ("http://shop.corp.example/", "[true, true, true]"),
        ("http://stranger.example/", "[true, true, false]"),
        ("https://blind.example/", "[false, false, false]"),
        // Without a host it is nobody's.
        ("/relative", "[true, true, false]"),
        ("*", "[true, true, false]"),
    ] {
        let builder = Client::builder()
            .allow_baggage_to("*.corp.example")
            .omit_trace_to("blind.example")
            .omit_budget_to("blind.example");
        assert_eq!(told(url, builder).await.expect("an answer"), expected, "{url}");
    }
}

#[tokio::test]
async fn without_a_context_or_with_no_time_left_nothing_is_sent() {
    let mut server = Server::ok().await;
    let client = hyper(Client::builder());
    let error = client.clone().oneshot(get(server.url("/"))).await.expect_err("no context");
    assert!(matches!(error.downcast_ref::<Error>(), Some(Error::NoContext)), "{error:?}");
    let late = Ctx::background().with_timeout(Duration::ZERO);
    let error = late.scope(client.clone().oneshot(get(server.url("/")))).await.expect_err("late");
    assert!(end(&error).is_some_and(Cancelled::is_deadline), "{error:?}");
    assert!(server.all().is_empty());
}

#[tokio::test]
async fn the_end_ends_the_wait_for_the_head_and_the_body_wherever_it_is_read() {
    let (ctx, canceller) = Ctx::background().with_cancel();
    let pends = Server::start(|_| std::future::pending()).await;
    let client = hyper(Client::builder());
    let waits = tokio::spawn(ctx.scope(client.clone().oneshot(get(pends.url("/")))));
    let streams = Server::start(|_| async {
        let first = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from("first"))]);
        let body = futures_util::StreamExt::chain(first, futures_util::stream::pending());
        Response::new(axum::body::Body::from_stream(body))
    })
    .await;
    let answer = ctx.scope(client.oneshot(get(streams.url("/")))).await.expect("an answer");
    let mut body = answer.into_body();
    let first = body.frame().await.expect("a frame").expect("of data");
    assert_eq!(first.into_data().expect("data"), "first");
    let rest = tokio::spawn(async move { body.frame().await.expect("an error") });
    canceller.cancel();
    for error in [
        waits.await.expect("no panic").map(drop).expect_err("it ended"),
        rest.await.expect("no panic").map(drop).expect_err("it ended"),
    ] {
        assert!(end(&error).is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn a_peer_says_that_our_budget_ran_out() {
    let says = Server::start(|_| async {
        let mut answer = status(504);
        answer.headers_mut().insert("x-deadline-exceeded", "caller".parse().expect("a value"));
        answer
    });
    let says = says.await;
    let ctx = Ctx::background().with_timeout(Duration::from_secs(60));
    let client = hyper(Client::builder());
    let error = ctx.scope(client.clone().oneshot(get(says.url("/")))).await.expect_err("it is");
    assert!(end(&error).is_some_and(Cancelled::is_deadline), "{error:?}");
    let plain = Server::start(|_| async { status(504) }).await;
    let answer = ctx.scope(client.oneshot(get(plain.url("/")))).await.expect("a response");
    assert_eq!(answer.status(), 504);
}

#[tokio::test]
async fn a_timeout_of_its_own_is_none_of_the_context() {
    let pends = Server::start(|_| std::future::pending()).await;
    let client = hyper(Client::builder().timeout(Duration::from_millis(20)));
    let ctx = Ctx::background().with_timeout(Duration::from_secs(60));
    let error = ctx.scope(client.oneshot(get(pends.url("/")))).await.expect_err("it passes");
    assert!(matches!(error.downcast_ref::<Error>(), Some(Error::TimedOut)), "{error:?}");
    assert_eq!(end(&error), None);
}
