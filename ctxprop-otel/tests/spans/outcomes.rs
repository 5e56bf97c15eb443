//! How a span ends: the status and the cause of each outcome.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_otel::opentelemetry::trace::{SpanKind, Status};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::common::{Exported, attribute, serve, trace_id};
use super::hops::{Failure, client};

/// Answers as the path says.
#[propagate]
async fn outcome(
    State(tell): State<UnboundedSender<()>>,
    axum::extract::Path(what): axum::extract::Path<String>,
) -> Result<String, Failure> {
    match what.as_str() {
        "sleep" => {
            tell.send(()).unwrap();
            std::future::pending::<()>().await;
            Ok(String::new())
        }
        code => Err((code.parse().unwrap(), String::new())),
    }
}

#[tokio::test]
async fn status_and_cause_of_each_outcome() {
    let exported = Exported::here();
    let (tell, mut told) = unbounded_channel();
    let (root, shutdown) = Ctx::background().with_cancel();
    let app = Router::new().route("/{what}", get(ctxprop_axum::handler(outcome))).with_state(tell);
    let short = CtxLayer::mesh().max_budget(Duration::from_millis(30));
    let short_url = serve(app.clone().layer(short)).await;
    let url = serve(app.layer(CtxLayer::mesh().under(&root))).await;
    let ctx = Ctx::background().child_span();
    let mut seen = 0;
    let mut next = |exported: &Exported| {
        let spans = exported.spans();
        let new: Vec<_> = spans[seen..].to_vec();
        seen = spans.len();
        let of = |kind| new.iter().find(|span| span.span_kind == kind).cloned();
        (of(SpanKind::Server), of(SpanKind::Client))
    };
    let client = client();
    let error = Status::error("");
    for (path, server, at_client) in [
        ("404", Status::Unset, error.clone()),
        ("503", error.clone(), error.clone()),
        ("302", Status::Unset, Status::Unset),
    ] {
        let count = exported.spans().len();
        let answer = client.get(format!("{url}/{path}")).send().with(&ctx).await.unwrap();
        assert_eq!(answer.status().as_u16(), path.parse::<u16>().unwrap());
        drop(answer);
        exported.until(count + 2).await;
        let (at, from) = next(&exported);
        let (at, from) = (at.unwrap(), from.unwrap());
        assert_eq!((at.status, from.status.clone()), (server.clone(), at_client.clone()), "{path}");
        let kind = |fails| if fails == Status::Unset { None } else { Some(path.to_owned()) };
        assert_eq!(attribute(&from, "error.type"), kind(at_client));
    }

    // the deadline of the server
    let count = exported.spans().len();
    let answer = client.get(format!("{short_url}/sleep")).send().with(&ctx).await.unwrap();
    assert_eq!(answer.status().as_u16(), 504);
    drop(answer);
    told.recv().await.unwrap();
    exported.until(count + 2).await;
    let (at, from) = next(&exported);
    for span in [at.as_ref().unwrap(), from.as_ref().unwrap()] {
        assert!(matches!(span.status, Status::Error { .. }), "{span:?}");
        assert_eq!(attribute(span, "error.type").as_deref(), Some("504"));
    }
    assert_eq!(attribute(&at.unwrap(), "ctxprop.cause").as_deref(), Some("deadline_exceeded"));

    // that of the caller, which either of the two sees first
    let count = exported.spans().len();
    let short = ctx.with_timeout(Duration::from_millis(30));
    client.get(format!("{url}/sleep")).send().with(&short).await.unwrap_err();
    told.recv().await.unwrap();
    exported.until(count + 2).await;
    let from = next(&exported).1.unwrap();
    assert!(matches!(from.status, Status::Error { .. }), "{from:?}");
    match attribute(&from, "http.response.status_code") {
        Some(code) => assert_eq!(code, "504"),
        None => assert_eq!(attribute(&from, "ctxprop.cause").as_deref(), Some("deadline_exceeded")),
    }

    // a client that leaves
    let count = exported.spans().len();
    let (cancelled, canceller) = ctx.with_cancel();
    let (gone, ()) =
        tokio::join!(client.get(format!("{url}/sleep")).send().with(&cancelled), async {
            told.recv().await.unwrap();
            canceller.cancel();
        });
    gone.unwrap_err();
    exported.until(count + 2).await;
    let (at, from) = next(&exported);
    let (at, from) = (at.unwrap(), from.unwrap());
    assert_eq!((at.status.clone(), from.status.clone()), (Status::Unset, Status::Unset));
    assert_eq!(attribute(&at, "ctxprop.cause").as_deref(), Some("disconnected"));
    assert_eq!(attribute(&from, "ctxprop.cause").as_deref(), Some("cancelled"));
    assert_eq!(attribute(&at, "error.type"), None);

    // a shutdown
    let count = exported.spans().len();
    let (answer, ()) = tokio::join!(client.get(format!("{url}/sleep")).send().with(&ctx), async {
        told.recv().await.unwrap();
        shutdown.cancel_with(ctxprop::Cause::Shutdown);
    });
    assert_eq!(answer.unwrap().status().as_u16(), 503);
    exported.until(count + 2).await;
    let (at, _) = next(&exported);
    let at = at.unwrap();
    assert_eq!(at.status, error);
    assert_eq!(attribute(&at, "ctxprop.cause").as_deref(), Some("shutdown"));
    assert_eq!(attribute(&at, "error.type").as_deref(), Some("503"));
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_an_error() {
    let exported = Exported::here();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let ctx = Ctx::background().child_span();
    client().get(format!("http://{address}/")).send().with(&ctx).await.unwrap_err();
    let send = exported.span("GET");
    assert_eq!(send.status, Status::error(""));
    assert_eq!(attribute(&send, "error.type").as_deref(), Some("_OTHER"));
    assert_eq!(trace_id(&send).to_string(), ctx.span().trace_id().to_string());
    assert_eq!(send.parent_span_id.to_string(), ctx.span().span_id().to_string());
}

#[propagate(span)]
async fn work() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_function_whose_context_ends_says_why() {
    let exported = Exported::here();
    let ctx = Ctx::background().child_span().with_timeout(Duration::from_secs(1));
    work().with(&ctx).await.unwrap_err();
    let span = exported.span("work");
    assert_eq!(span.status, Status::error("the deadline passed"));
    assert_eq!(attribute(&span, "ctxprop.cause").as_deref(), Some("deadline_exceeded"));
    assert_eq!(attribute(&span, "ctxprop.budget_ms").as_deref(), Some("1000"));
    assert_eq!(span.parent_span_id.to_string(), ctx.span().span_id().to_string());
}
