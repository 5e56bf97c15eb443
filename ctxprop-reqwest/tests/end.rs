//! How a request ends: with its context, with its own timeout, with what the server says of either.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use common::{Server, status};
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_reqwest::{Client, Error, Response as Answer};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

/// A server that reads a request and never answers; it tells when the request came and when the
/// connection closed.
async fn silent() -> (String, oneshot::Receiver<()>, oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let ((came, has_come), (closed, is_closed)) = (oneshot::channel(), oneshot::channel());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(stream.read_u8().await.expect("a request"));
        }
        let _ = came.send(());
        drop(stream.read_to_end(&mut read).await);
        let _ = closed.send(());
    });
    (url, has_come, is_closed)
}

#[tokio::test]
async fn what_comes_too_late_opens_no_connection() {
    let server = Server::ok().await;
    let client = server.client().build().unwrap();
    let (cancelled, canceller) = Ctx::background().with_cancel();
    canceller.cancel_with(Cause::Shutdown);
    let (zero, little) = (Duration::ZERO, Duration::from_micros(900));
    for (ctx, cause) in [
        (cancelled, Cause::Shutdown),
        (Ctx::background().with_timeout(zero), Cause::DeadlineExceeded),
        (Ctx::background().with_timeout(little), Cause::DeadlineExceeded),
    ] {
        for url in [server.url("/"), "not a url".to_owned()] {
            let error = client.get(url).send().with(&ctx).await.unwrap_err();
            assert_eq!(error.cancelled().map(Cancelled::cause), Some(&cause), "{error:?}");
            assert!(error.is_cancelled() && !error.is_timeout());
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn less_than_a_millisecond_is_too_late() {
    common::hold_the_clock();
    let server = Server::ok().await;
    let client = server.client().omit_budget_to("127.0.0.0/8").build().unwrap();
    let ctx = Ctx::background().with_timeout(Duration::from_micros(1_999));
    client.get(server.url("/")).send().with(&ctx).await.unwrap();
    let connections = server.connections();
    tokio::time::advance(SECOND / 1_000).await;
    let error = client.get(server.url("/")).send().with(&ctx).await.unwrap_err();
    let budget = error.cancelled().and_then(Cancelled::budget);
    assert_eq!(budget, Some(Duration::from_micros(1_999)));
    let own = client.get(server.url("/")).timeout(Duration::from_micros(999));
    let error = own.send().with(&Ctx::background()).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut) && error.is_timeout());
    assert_eq!(server.connections(), connections);
}

#[tokio::test]
async fn the_end_of_the_context_closes_the_connection() {
    let (url, came, closed) = silent().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let (ctx, canceller) = Ctx::background().with_cancel();
    let sent = tokio::spawn(client.get(url).send().with(&ctx));
    came.await.unwrap();
    canceller.cancel_with(Cause::Disconnected);
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.cancelled().map(Cancelled::cause), Some(&Cause::Disconnected));
    closed.await.unwrap();
}

#[tokio::test]
async fn so_does_dropping_it() {
    let (url, came, closed) = silent().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let sent = tokio::spawn(client.get(url).send().with(&Ctx::background()));
    came.await.unwrap();
    sent.abort();
    closed.await.unwrap();
}

/// The error of a request to a silent server after `passed`, and that the server saw it leave.
async fn after(passed: Duration, own: Duration, deadline: Duration) -> Error {
    common::hold_the_clock();
    let (url, came, closed) = silent().await;
    let client = Client::builder().no_proxy().timeout(own).build().unwrap();
    let ctx = Ctx::background().with_timeout(deadline);
    let sent = tokio::spawn(client.get(url).send().with(&ctx));
    came.await.unwrap();
    tokio::time::advance(passed).await;
    let error = sent.await.unwrap().unwrap_err();
    closed.await.unwrap();
    error
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_contexts_end() {
    let error = after(SECOND, 60 * SECOND, SECOND).await;
    let cancelled = error.cancelled().expect("cancelled");
    assert!(cancelled.is_deadline() && cancelled.budget() == Some(SECOND));
    assert_eq!(error.to_string(), "the request was given up with its context");
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("the deadline passed: the budget was 1s"));
}

#[tokio::test(start_paused = true)]
async fn its_own_timeout_is_a_timeout() {
    let error = after(SECOND, SECOND, 60 * SECOND).await;
    assert!(error.is_timeout() && !error.is_cancelled(), "{error:?}");
    assert!(error.reqwest().is_some_and(reqwest::Error::is_timeout));
}

#[tokio::test(start_paused = true)]
async fn where_both_have_passed_it_is_the_contexts_end() {
    let error = after(10 * SECOND, SECOND, 2 * SECOND).await;
    assert!(error.cancelled().is_some_and(Cancelled::is_deadline), "{error:?}");
}

#[tokio::test]
async fn a_504_says_whose_budget_ran_out() {
    for (code, whose, is_ours) in [
        (504, Some("caller"), true),
        (504, Some("Caller"), true),
        (504, Some("server"), false),
        (504, Some("caller, server"), false),
        (504, None, false),
        (503, Some("caller"), false),
        (200, Some("caller"), false),
    ] {
        let server = Server::start(move |_| async move {
            let mut response = status(code);
            if let Some(whose) = whose {
                let whose = whose.parse().expect("a header");
                response.headers_mut().insert("x-deadline-exceeded", whose);
            }
            response
        })
        .await;
        let client = server.client().build().unwrap();
        for ctx in [Ctx::background(), Ctx::background().with_timeout(60 * SECOND)] {
            let row = format!("{code} {whose:?}");
            let ours = client.get(server.url("/")).send().with(&ctx).await;
            let own = client.get(server.url("/")).timeout(SECOND * 30);
            let own = own.send().with(&ctx).await;
            match (ours, own) {
                (Err(ours), Err(own)) => {
                    assert!(
                        is_ours && ours.cancelled().is_some_and(Cancelled::is_deadline),
                        "{row}"
                    );
                    // It was not the context's budget that the server was given.
                    assert!(own.is_timeout() && !own.is_cancelled(), "{row}");
                }
                (Ok(ours), Ok(own)) => {
                    assert!(!is_ours, "{row}");
                    assert_eq!((ours.status(), own.status()), (own.status(), ours.status()));
                }
                other => panic!("{row}: {other:?}"),
            }
        }
    }
}

/// A server whose bodies begin and do not end.
async fn endless() -> Server {
    use futures_util::StreamExt as _;
    Server::start(|_| async {
        let begin =
            futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from("begin")))]);
        Response::new(Body::new(StreamBody::new(begin.chain(futures_util::stream::pending()))))
    })
    .await
}

#[propagate]
async fn read(mut answer: Answer) -> Result<Bytes, Error> {
    while answer.chunk().await?.is_some() {}
    Ok(Bytes::new())
}

#[tokio::test(start_paused = true)]
async fn the_body_ends_with_the_deadline() {
    common::hold_the_clock();
    let server = endless().await;
    let client = server.client().build().unwrap();
    let get = || client.get(server.url("/")).send();

    // Outside of the context too.
    let ctx = Ctx::background().with_timeout(SECOND);
    let mut answer = get().with(&ctx).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().as_deref(), Some(&b"begin"[..]));
    let rest = tokio::spawn(async move { answer.chunk().await });
    tokio::time::advance(SECOND).await;
    let error = rest.await.unwrap().unwrap_err();
    assert!(error.cancelled().is_some_and(Cancelled::is_deadline), "{error:?}");

    // .. and as reqwest's response, or as the body of somebody else's.
    for as_body in [false, true] {
        let ctx = Ctx::background().with_timeout(SECOND);
        let answer = get().with(&ctx).await.unwrap();
        let mut answer = match as_body {
            true => http::Response::new(ctxprop_reqwest::Body::from(answer)).into(),
            false => answer.into_reqwest(),
        };
        assert_eq!(answer.chunk().await.unwrap().as_deref(), Some(&b"begin"[..]));
        let rest = tokio::spawn(async move { answer.chunk().await });
        tokio::task::yield_now().await;
        tokio::time::advance(SECOND).await;
        let error = rest.await.unwrap().unwrap_err();
        assert!(Cancelled::find_in(&error).is_some_and(Cancelled::is_deadline), "{error:?}");
        assert!(Error::from(error).is_cancelled());
    }

    // In it: the context's end, both when that comes first and when the thread was busy meanwhile.
    for passed in [SECOND, 2 * SECOND] {
        let ctx = Ctx::background().with_timeout(SECOND);
        let answer = get().with(&ctx).await.unwrap();
        let reads = tokio::spawn(read(answer).with(&ctx));
        tokio::task::yield_now().await;
        tokio::time::advance(passed).await;
        let error = reads.await.unwrap().unwrap_err();
        assert!(error.cancelled().is_some_and(Cancelled::is_deadline), "{error:?}");
    }

    // Its own timeout bounds it too.
    let own = client.get(server.url("/")).timeout(SECOND).send();
    let answer = own.with(&Ctx::background()).await.unwrap();
    let reads = tokio::spawn(read(answer).with(&Ctx::background()));
    tokio::time::advance(SECOND).await;
    let error = reads.await.unwrap().unwrap_err();
    assert!(error.is_timeout() && !error.is_cancelled(), "{error:?}");
}

#[tokio::test]
async fn without_a_deadline_a_body_may_take_its_time() {
    let server = endless().await;
    let client = server.client().build().unwrap();
    let (ctx, canceller) = Ctx::background().with_cancel();
    let answer = client.get(server.url("/")).send().with(&ctx).await.unwrap();
    let reads = tokio::spawn(read(answer).with(&ctx));
    canceller.cancel();
    let error = reads.await.unwrap().unwrap_err();
    assert_eq!(error.cancelled().map(Cancelled::cause), Some(&Cause::Cancelled));
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder().no_proxy().build().unwrap();
    let ctx = Ctx::background();
    let url = format!("http://ann:hunter2@{nobody}/path?token=hunter2#hunter2");
    let error = client.get(url).send().with(&ctx).await.unwrap_err();
    assert!(error.is_connect() && error.to_string().contains("/path"), "{error}");
    let mut shown = format!("{error} {error:?}");
    for url in ["/hunter2", "hunter2://ann:hunter2@host", "http://ann:hunter2@:80/"] {
        let error = client.get(url).send().with(&ctx).await.unwrap_err();
        assert!(matches!(error, Error::Url(_)), "{error:?}");
        shown += &format!("{error} {error:?}").replace("scheme", "");
    }
    assert_eq!(shown.matches("hunter2").count(), 2, "the scheme, twice: {shown}");

    let mut server = Server::start(|_| async { status(418) }).await;
    let url = server.url("/?token=hunter2");
    let answer = client.get(url).send().with(&ctx).await.unwrap();
    let error = answer.error_for_status().unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(418));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(server.all().len(), 1);
}

#[tokio::test]
async fn its_future_can_be_sent_to_other_threads() {
    fn is_send<T: Send>(it: T) -> T {
        it
    }
    let server = Server::ok().await;
    let client = server.client().build().unwrap();
    let sent = is_send(client.get(server.url("/")).send().with(&Ctx::background()));
    assert_eq!(tokio::spawn(sent).await.unwrap().unwrap().status(), 200);
}

#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("payments: {0}")]
    Payments(#[from] Error),
    #[error(transparent)]
    Stock(Error),
    #[error("ledger")]
    Ledger(#[source] std::io::Error),
    #[error("what several waited for")]
    Shared(#[from] std::sync::Arc<Cancelled>),
}

/// However an error was wrapped on its way up, the end of the context is what one's own caller is told.
#[tokio::test]
async fn the_end_of_the_context_is_found_in_every_error_that_it_became() {
    use std::error::Error as StdError;

    let ended = || -> Error {
        let late = Ctx::background().with_timeout(Duration::ZERO);
        late.check().map_err(Error::from).unwrap_err()
    };
    let boxed: Box<dyn StdError + Send + Sync> = ended().into();
    let anyhow = anyhow::Error::from(ended()).context("in the basement");
    let io = std::io::Error::other(ShopError::from(ended()));
    let cancelled = || Cancelled::new(ctxprop::Cause::DeadlineExceeded);
    let of_anybody: std::sync::Arc<dyn StdError + Send + Sync> = std::sync::Arc::new(cancelled());
    let all: [(&str, &(dyn StdError + 'static)); 11] = [
        ("as it is", &ended()),
        ("boxed", boxed.as_ref()),
        ("anyhow", anyhow.as_ref()),
        ("#[from]", &ShopError::from(ended())),
        ("transparent", &ShopError::Stock(ended())),
        ("io", &ShopError::Ledger(io)),
        ("moka's", &std::sync::Arc::new(cancelled())),
        ("moka's, inside", &ShopError::from(std::sync::Arc::new(cancelled()))),
        ("behind a pointer", &Box::new(cancelled())),
        ("shared io", &std::sync::Arc::new(std::io::Error::other(ended()))),
        ("of anybody", &of_anybody),
    ];
    for (row, error) in all {
        let found = Cancelled::find_in(error).map(Cancelled::http_status);
        assert_eq!(found, Some(http::StatusCode::GATEWAY_TIMEOUT), "{row}");
    }
    assert_eq!(Cancelled::find_in(&Error::TimedOut), None);
    assert_eq!(http::StatusCode::from(ended()), 504);
}

/// A body that ends while it is sent: reqwest's error, and the context's end in it.
#[tokio::test]
async fn a_request_body_that_ended_with_its_context_says_so() {
    let server = Server::ok().await;
    let client = server.client().build().unwrap();
    let broken =
        futures_util::stream::iter([Err::<Frame<Bytes>, _>(Cancelled::new(Cause::Shutdown))]);
    let body = ctxprop_reqwest::Body::wrap(StreamBody::new(broken));
    let sent = client.put(server.url("/")).body(body).send().with(&Ctx::background()).await;
    let error = sent.unwrap_err();
    assert_eq!(error.cancelled().map(Cancelled::cause), Some(&Cause::Shutdown), "{error:?}");
    assert_eq!(error.http_status(), 503);
}

/// It is a part of each future that awaits it, in however deep a chain of calls.
#[test]
fn a_request_makes_no_future_large() {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.get("http://stock/");
    assert!(std::mem::size_of_val(&request.send()) <= 64);
}
