//! What a call is told of in `tracing`: one event at its end, and a span at either end of it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "../../ctxprop-axum/tests/support/events.rs"]
mod events;

use std::time::Duration;

use common::{Raw, client, serve};
use ctxprop::{Background, Ctx};
use ctxprop_grpc_probe::{Answer, Ask, Script};
use ctxprop_tonic::CtxLayer;
use events::Events;
use tonic::{Response, Status};
use tracing::Level;

#[tokio::test(start_paused = true)]
async fn each_call_ends_with_one_event() {
    let script = Script::default()
        .unary(|request| async move {
            match request.into_inner().what.as_str() {
                "fail" => Err(Status::not_found("secret 7")),
                _ => Ok(Response::new(Answer::said("secret 8"))),
            }
        })
        .sum(|_| std::future::pending());
    let layer = CtxLayer::mesh().max_budget(Duration::from_secs(5));
    let address = serve(layer, script).await;
    let mut client = client(address);
    let ctx = Ctx::background().child_span().with_timeout(Duration::from_secs(2));
    let (events, _guard) = Events::listen();

    ctx.scope(client.unary(Ask::default())).await.unwrap();
    let told = events.next().await;
    assert_eq!((told.level, told.what.as_str()), (Level::INFO, "a call is over"));
    let is = |name: &str, value: &str| assert_eq!(told.field(name), Some(value), "{told:?}");
    is("service", "probe.Probe");
    is("method", "Unary");
    is("status", "0");
    is("cause", "the request is over");
    is("left", "2s");
    is("trace_id", &ctx.span().trace_id().to_string());
    assert_eq!(told.field("deadline"), None);

    let ask = Ask { what: "fail".to_owned(), number: 0 };
    ctx.scope(client.unary(ask)).await.unwrap_err();
    let told = events.next().await;
    assert_eq!((told.what.as_str(), told.field("status")), ("a call is over", Some("5")));

    let mut raw = Raw::connect(address).await;
    raw.call("Sum", &[("grpc-timeout", "250m")]).await;
    let told = events.next().await;
    assert_eq!((told.level, told.what.as_str()), (Level::WARN, "a call was cut short"));
    assert_eq!((told.field("status"), told.field("deadline")), (Some("4"), Some("caller")));
    raw.call("Sum", &[]).await;
    let told = events.next().await;
    assert_eq!((told.field("status"), told.field("deadline")), (Some("4"), Some("server")));

    for (timeout, status) in [("0n", "4"), ("secret", "3")] {
        raw.call("Sum", &[("grpc-timeout", timeout)]).await;
        let told = events.next().await;
        assert_eq!((told.level, told.what.as_str()), (Level::WARN, "a call was refused"));
        assert_eq!(told.field("status"), Some(status), "{told:?}");
    }
    assert!(events.are_none());

    let spans = events.spans();
    let sent = spans.iter().find(|span| span.what == "send").expect("one");
    let called = spans.iter().find(|span| span.what == "call").expect("one");
    for name in ["service", "method", "trace_id", "status"] {
        assert_eq!(sent.field(name), called.field(name), "{name}");
    }
    assert_eq!(sent.field("parent_id"), Some(ctx.span().span_id().to_string().as_str()));
    assert_eq!(called.field("parent_id"), sent.field("span_id"));
    assert_eq!(sent.field("host"), Some("127.0.0.1"));
    assert!(!format!("{spans:?}").contains("secret"), "{spans:?}");
}
