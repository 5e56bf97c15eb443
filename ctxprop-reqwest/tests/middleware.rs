//! The middleware in a chain of reqwest-middleware, against real servers.
#![cfg(feature = "middleware")]
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Server, port_of, redirect, status};
use ctxprop::wire::Incoming;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_reqwest::reqwest_middleware::{self, ClientWithMiddleware, Middleware, Next};
use ctxprop_reqwest::{ClientBuilder, Error};
use reqwest::Response;

fn caller() -> Ctx {
    let mut headers = http::HeaderMap::new();
    headers.insert("baggage", "tenant=acme".parse().expect("a header"));
    Ctx::background().with_incoming(Incoming::from_headers(&headers)).0
}

fn chain(builder: ClientBuilder) -> ClientWithMiddleware {
    let (http, ctx) = builder.build_middleware().expect("a client");
    reqwest_middleware::ClientBuilder::new(http).with(ctx).build()
}

/// What the middleware said, if it was that.
fn own(error: &reqwest_middleware::Error) -> Option<&Error> {
    match error {
        reqwest_middleware::Error::Middleware(error) => error.downcast_ref(),
        reqwest_middleware::Error::Reqwest(_) => None,
    }
}

#[propagate]
async fn ask(client: &ClientWithMiddleware, url: &str) -> reqwest_middleware::Result<Response> {
    client.get(url).send().await
}

#[tokio::test]
async fn it_tells_each_host_what_the_client_would_tell_it() {
    let mut server = Server::ok().await;
    let client =
        chain(server.client().allow_baggage_to("users.corp.example").omit_trace_to("shop.example"));
    let ctx = caller().with_timeout(Duration::from_secs(60));
    for (host, trace, baggage) in [
        ("127.0.0.1", true, true),
        ("payments", true, true),
        ("users.corp.example", true, true),
        ("notcorp.example", true, false),
        ("shop.example", false, false),
    ] {
        let answer = ask(&client, &server.at(host, "/")).with(&ctx).await;
        assert_eq!(answer.expect(host).status(), 200);
        let seen = server.next().await;
        assert_eq!((seen.has("traceparent"), seen.has("baggage")), (trace, baggage), "{host}");
        assert!(seen.millis() <= 60_000);
        if trace {
            let (trace, span) = seen.trace();
            assert_eq!(trace, ctx.span().trace_id().to_string());
            assert_ne!(span, ctx.span().span_id().to_string());
        }
    }
}

#[tokio::test]
async fn redirects_are_its_business_and_trust_only_falls() {
    let mut server = Server::start(|seen| async move {
        let to =
            |host: &str, path| redirect(307, format!("http://{host}:{}{path}", port_of(&seen)));
        match seen.uri.path() {
            "/" => to("shop.example", "/out"),
            "/out" => to("payments", "/back"),
            _ => status(200),
        }
    })
    .await;
    let client = chain(server.client());
    let answer = ask(&client, &server.url("/")).with(&caller()).await.unwrap();
    assert_eq!(answer.url().path(), "/back");
    let seen = server.all();
    let baggage: Vec<_> = seen.iter().map(|seen| seen.has("baggage")).collect();
    assert_eq!(baggage, [true, false, false]);
    let mut spans: Vec<_> = seen.iter().map(common::Seen::trace).collect();
    assert!(spans.iter().all(|span| span.0 == spans[0].0));
    spans.dedup();
    assert_eq!(spans.len(), 3);
}

/// A middleware that asks twice, as one with retries does, and one that counts what goes through it.
struct Twice;
struct Count(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Middleware for Twice {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let again = request.try_clone().expect("no stream");
        next.clone().run(request, extensions).await?;
        next.run(again, extensions).await
    }
}

#[async_trait::async_trait]
impl Middleware for Count {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.0.fetch_add(1, Ordering::SeqCst);
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn others_stand_on_both_sides_of_it() {
    let mut server = Server::redirecting(302, "/there").await;
    let (http, ctx) = server.client().build_middleware().unwrap();
    let hops = Arc::new(AtomicUsize::new(0));
    let client = reqwest_middleware::ClientBuilder::new(http)
        .with(Twice)
        .with(ctx)
        .with(Count(Arc::clone(&hops)))
        .build();
    ask(&client, &server.url("/")).with(&caller()).await.unwrap();
    // Each attempt of the one outside is a span of its own, and the one inside sees each hop.
    let mut spans: Vec<_> = server.all().iter().map(common::Seen::trace).collect();
    spans.sort();
    spans.dedup();
    assert_eq!((spans.len(), hops.load(Ordering::SeqCst)), (4, 4));
}

#[tokio::test]
async fn without_a_context_it_says_how_to_get_one() {
    let server = Server::ok().await;
    let client = chain(server.client());
    let error = client.get(server.url("/")).send().await.unwrap_err();
    assert!(matches!(own(&error), Some(Error::NoContext)), "{error:?}");
    assert!(error.to_string().contains("`ctx.scope(..)`"), "{error}");
    assert_eq!(server.connections(), 0);
    let sent = caller().scope(async { client.get(server.url("/")).send().await }).await;
    assert_eq!(sent.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_context_and_keeps_the_budget() {
    common::hold_the_clock();
    let mut server = Server::start(|seen| async move {
        match seen.uri.path() {
            "/never" => std::future::pending().await,
            _ => {
                let mut response = status(504);
                let whose = "caller".parse().expect("a header");
                response.headers_mut().insert("x-deadline-exceeded", whose);
                response
            }
        }
    })
    .await;
    let client = chain(server.client());

    let zero = caller().with_timeout(Duration::ZERO);
    let error = ask(&client, &server.url("/never")).with(&zero).await.unwrap_err();
    assert!(own(&error).and_then(Error::cancelled).is_some_and(Cancelled::is_deadline));
    assert_eq!(server.connections(), 0);

    let (ctx, canceller) = caller().with_cancel();
    let url = server.url("/never");
    let sent = tokio::spawn(ctx.scope({
        let client = client.clone();
        async move { client.get(url).send().await }
    }));
    server.next().await;
    canceller.cancel_with(Cause::Shutdown);
    let error = sent.await.unwrap().unwrap_err();
    let cause = own(&error).and_then(Error::cancelled).map(Cancelled::cause);
    assert_eq!(cause, Some(&Cause::Shutdown));

    // Its own timeout is reqwest's error, as ever; the context's is not.
    for (own_timeout, deadline, is_deadline) in [(1, 60, false), (60, 1, true)] {
        let ctx = caller().with_timeout(Duration::from_secs(deadline));
        let request = client.get(server.url("/never")).timeout(Duration::from_secs(own_timeout));
        let sent = tokio::spawn(ctx.scope(async { request.send().await }));
        assert_eq!(server.next().await.millis(), 1_000);
        tokio::time::advance(Duration::from_secs(1)).await;
        let error = sent.await.unwrap().unwrap_err();
        let cancelled = own(&error).and_then(Error::cancelled);
        assert_eq!(cancelled.is_some_and(Cancelled::is_deadline), is_deadline, "{error:?}");
        assert_eq!(error.is_timeout(), !is_deadline, "{error:?}");
    }

    let ctx = caller().with_timeout(Duration::from_secs(60));
    let error = ask(&client, &server.url("/marked")).with(&ctx).await.unwrap_err();
    assert!(own(&error).and_then(Error::cancelled).is_some_and(Cancelled::is_deadline));
}
