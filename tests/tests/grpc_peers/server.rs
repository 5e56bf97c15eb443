//! grpcio as the server of our client.

use std::time::Duration;

use ctxprop::{Background, Baggage, Cancelled, Cause, Ctx, SpanContext};
use ctxprop_grpc_probe::{Answer, Ask, ProbeClient};
use ctxprop_tonic::CtxChannel;
use futures::{StreamExt, stream};
use serde_json::Value;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use super::python::{Peer, interpreter};

#[derive(Baggage)]
struct Caller {
    #[baggage(key = "tenant")]
    tenant: String,
}

fn ask(what: &str) -> Ask {
    Ask { what: what.to_owned(), number: 0 }
}

/// What the server says next of a call to `method`.
async fn next(peer: &mut Peer, kind: &str, method: &str) -> Value {
    loop {
        let told = peer.next().await.expect("it runs");
        if told[kind] == method {
            return told;
        }
    }
}

/// Calls `method`, and waits for it for ever.
async fn wait(client: &mut ProbeClient<CtxChannel>, method: &str) -> Status {
    let never = || Request::new(stream::once(async { ask("one") }).chain(stream::pending()));
    let read = async |answers: Result<tonic::Response<tonic::Streaming<Answer>>, Status>| {
        let mut answers = answers?.into_inner();
        while answers.message().await?.is_some() {}
        Ok(())
    };
    let answer = match method {
        "unary" => client.unary(ask("wait")).await.map(drop),
        "count" => read(client.count(ask("")).await).await,
        "sum" => client.sum(never()).await.map(drop),
        _ => read(client.talk(never()).await).await,
    };
    answer.expect_err("it waits for ever")
}

#[tokio::test]
async fn grpcio_is_a_server_like_ours() {
    let Some(python) = interpreter() else { return };
    let mut peer = Peer::start(&python, "grpc_server.py", &[]);
    let port = peer.next().await.expect("it runs")["port"].as_u64().expect("a port");
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).expect("a URL");
    let channel = CtxChannel::connect(endpoint).await.expect("it listens");
    let mut client = ProbeClient::new(channel);

    // Trace, baggage, and what remains.
    let tenant = Caller { tenant: "acme".to_owned() };
    let ctx =
        Ctx::background().with_span(SpanContext::root()).with_baggage(&tenant).expect("little");
    let bounded = ctx.with_timeout(Duration::from_secs(9));
    let answer = bounded.scope(client.unary(ask("hello"))).await.expect("an answer");
    assert_eq!(answer.get_ref().said, "hello");
    let begun = next(&mut peer, "begun", "unary").await;
    let parent = begun["metadata"]["traceparent"].as_str().expect("one");
    assert!(parent.contains(&ctx.span().trace_id().to_string()), "{begun}");
    assert_eq!(begun["metadata"]["baggage"], "tenant=acme");
    let left = begun["left"].as_f64().expect("a budget");
    assert!(left > 0.0 && left <= 9.0, "{begun}");

    // Their statuses are theirs, with what came with them.
    let status = ctx.scope(client.unary(ask("refuse"))).await.expect_err("refused");
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "no more room"));
    assert_eq!(status.metadata().get("why").expect("a trailer"), "full");
    let status = ctx.scope(client.unary(ask("late"))).await.expect_err("late");
    assert!(Cancelled::try_from(status).expect("an end").is_deadline());

    // The deadline is one for both, and so is a cancellation.
    for method in ["unary", "count", "sum", "talk"] {
        let bounded = ctx.with_timeout(Duration::from_millis(300));
        let status = bounded.scope(wait(&mut client, method)).await;
        assert_eq!(status.code(), Code::DeadlineExceeded, "{method} {status:?}");
        next(&mut peer, "begun", method).await;
        next(&mut peer, "over", method).await;

        let (cancelled, canceller) = ctx.with_cancel();
        let mut clone = client.clone();
        let waiting = tokio::spawn(cancelled.scope(async move { wait(&mut clone, method).await }));
        let begun = next(&mut peer, "begun", method).await;
        // None was told, so the peer knows of none.
        assert_eq!(begun["metadata"].get("grpc-timeout"), None);
        canceller.cancel();
        let status = waiting.await.expect("no panic");
        assert_eq!(status.code(), Code::Cancelled, "{method} {status:?}");
        assert_eq!(Cancelled::find_in(&status).expect("an end").cause(), &Cause::Cancelled);
        next(&mut peer, "over", method).await;
    }

    // Streams that come to their own end.
    let asks = stream::iter([ask("one"), ask("two")]);
    let answer = ctx.scope(client.sum(asks)).await.expect("an answer");
    assert_eq!(answer.get_ref().said, "2");
    let asks = stream::iter([ask("one"), ask("two")]);
    let answers = ctx.scope(client.talk(asks)).await.expect("an answer").into_inner();
    let said: Vec<_> = answers.map(|answer| answer.expect("a message").said).collect().await;
    assert_eq!(said, ["one", "two"]);
    peer.end().await;
}
