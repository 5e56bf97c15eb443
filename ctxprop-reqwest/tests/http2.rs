//! The same over HTTP/2.
#![allow(clippy::expect_used, reason = "it is a test")]
#![cfg(feature = "http2")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use common::{Server, redirect, status};
use ctxprop::wire::Incoming;
use ctxprop::{Background, Cause, Ctx};
use ctxprop_reqwest::Version;
use tokio::sync::mpsc::unbounded_channel;

fn caller() -> Ctx {
    let mut headers = http::HeaderMap::new();
    headers.insert("baggage", "tenant=acme".parse().expect("a header"));
    let ctx = Ctx::background().with_timeout(Duration::from_secs(60));
    ctx.with_incoming(Incoming::from_headers(&headers)).0
}

#[tokio::test]
async fn hops_over_one_connection() {
    let mut server = Server::start(|seen| async move {
        match seen.uri.path() {
            "/" => redirect(307, "/again"),
            _ => status(200),
        }
    })
    .await;
    let client = server.client().http2_prior_knowledge().build().unwrap();
    let ctx = caller();
    let request = client.post(server.url("/")).body("hello");
    let answer = request.send().with(&ctx).await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 200));
    let stranger = client.get(server.at("shop.example", "/x"));
    stranger.send().with(&ctx).await.unwrap();
    let seen = server.all();
    assert!(seen[..2].iter().all(|seen| seen.body == "hello" && seen.has("baggage")));
    assert_eq!(seen[0].trace().0, ctx.span().trace_id().to_string());
    assert_ne!(seen[0].trace().1, seen[1].trace().1);
    assert!(seen.iter().all(|seen| seen.millis() < 60_000));
    assert!(!seen[2].has("baggage"));
    assert_eq!(server.connections(), 2, "one a host");
}

#[tokio::test]
async fn the_end_of_a_context_resets_its_stream_and_spares_the_connection() {
    struct Dropped(tokio::sync::mpsc::UnboundedSender<&'static str>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let (sender, mut events) = unbounded_channel();
    let server = Server::start(move |seen| {
        let sender = sender.clone();
        async move {
            if seen.uri.path() == "/" {
                let _dropped = Dropped(sender.clone());
                let _ = sender.send("came");
                std::future::pending::<()>().await;
            }
            status(200)
        }
    })
    .await;
    let client = server.client().http2_prior_knowledge().build().unwrap();
    let (ctx, canceller) = caller().with_cancel();
    let sent = tokio::spawn(client.get(server.url("/")).send().with(&ctx));
    assert_eq!(events.recv().await, Some("came"));
    canceller.cancel();
    let error = sent.await.unwrap().unwrap_err();
    assert!(error.cancelled().is_some_and(|it| *it.cause() == Cause::Cancelled));
    assert_eq!(events.recv().await, Some("dropped"));
    let next = client.get(server.url("/x")).send().with(&caller()).await;
    assert_eq!(next.unwrap().status(), 200);
    assert_eq!(server.connections(), 1);
}
