//! What the layer takes, what it refuses, and what a handler sees of it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Raw, client, plain, serve};
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_grpc_probe::{Answer, Ask, Script};
use ctxprop_tonic::CtxLayer;
use tonic::{Code, Request, Response, Status};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Tells the context of the call.
fn tells() -> Script {
    Script::default().unary(|request: Request<Ask>| async move {
        let given = request.extensions().get::<Ctx>().cloned();
        let (given, current) = (given.expect("in the extensions"), Ctx::current());
        assert_eq!(given.span(), current.span());
        let said = format!(
            "trace {} baggage {:?} left {:?}",
            current.span().trace_id(),
            current.baggage_map().get("tenant"),
            current.remaining().map(|left| left.as_secs()),
        );
        Ok(Response::new(Answer::said(said)))
    })
}

/// Counts the calls that reach the handler.
fn counts() -> (Script, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let script = Script::default().unary(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(Response::new(Answer::default())) }
    });
    (script, calls)
}

#[tokio::test(start_paused = true)]
async fn a_mesh_takes_trace_baggage_and_budget() {
    let address = serve(CtxLayer::mesh(), tells()).await;
    let mut request = Request::new(Ask::default());
    request.metadata_mut().insert("traceparent", PARENT.parse().unwrap());
    request.metadata_mut().insert("baggage", "tenant=acme".parse().unwrap());
    request.metadata_mut().insert("grpc-timeout", "5500m".parse().unwrap());
    let said = plain(address).unary(request).await.unwrap().into_inner().said;
    assert_eq!(said, "trace 0af7651916cd43dd8448eb211c80319c baggage Some(\"acme\") left Some(5)");
}

#[tokio::test(start_paused = true)]
async fn an_edge_takes_a_shorter_budget_and_nothing_else() {
    let layer = CtxLayer::edge().default_budget(Duration::from_secs(9));
    let address = serve(layer, tells()).await;
    for (timeout, left) in [("5500m", 5), ("99S", 9)] {
        let mut request = Request::new(Ask::default());
        request.metadata_mut().insert("traceparent", PARENT.parse().unwrap());
        request.metadata_mut().insert("baggage", "tenant=acme".parse().unwrap());
        request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
        let said = plain(address).unary(request).await.unwrap().into_inner().said;
        assert!(!said.contains("0af7651916cd43dd8448eb211c80319c"), "{said}");
        assert!(said.contains("baggage None"), "{said}");
        assert!(said.ends_with(&format!("left Some({left})")), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_is_none_is_refused_before_the_handler() {
    let (script, calls) = counts();
    let address = serve(CtxLayer::mesh(), script).await;
    let mut raw = Raw::connect(address).await;
    for timeout in [
        "-1S",
        "+1S",
        "1.5S",
        "100",
        "S",
        "",
        "abc",
        "123456789n",
        "1 S",
        "1s",
        "1h",
        "0x1S",
        "１S",
    ] {
        let end = raw.call("Unary", &[("grpc-timeout", timeout)]).await;
        assert_eq!(end.code, Some(Code::InvalidArgument), "{timeout:?} {end:?}");
        assert_eq!(end.headers["content-type"], "application/grpc");
    }
    let two = [("grpc-timeout", "1S"), ("grpc-timeout", "1S")];
    assert_eq!(raw.call("Unary", &two).await.code, Some(Code::InvalidArgument));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    for timeout in ["1S", "99999999H", "00000001H", "99999999n"] {
        let end = raw.call("Unary", &[("grpc-timeout", timeout)]).await;
        assert_eq!(end.code, Some(Code::Ok), "{timeout:?} {end:?}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_is_over_is_refused_before_the_handler() {
    let (script, calls) = counts();
    let layer = CtxLayer::mesh().min_budget(Duration::from_millis(5));
    let address = serve(layer, script).await;
    let mut raw = Raw::connect(address).await;
    for timeout in ["0n", "0H", "00000000S", "1n", "4m", "4999999n"] {
        let end = raw.call("Unary", &[("grpc-timeout", timeout)]).await;
        assert_eq!(end.code, Some(Code::DeadlineExceeded), "{timeout:?} {end:?}");
        assert_eq!(end.header("x-deadline-exceeded"), Some("caller"), "{end:?}");
    }
    // So is a budget that came in another way.
    let end = raw.call("Unary", &[("x-timeout-ms", "0")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_trace_id_is_echoed_on_request() {
    let address = serve(CtxLayer::mesh().echo_trace_id(), tells()).await;
    let mut request = Request::new(Ask::default());
    request.metadata_mut().insert("traceparent", PARENT.parse().unwrap());
    let answer = plain(address).unary(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-trace-id").unwrap(), "0af7651916cd43dd8448eb211c80319c");
    let mut raw = Raw::connect(address).await;
    let refused = raw.call("Unary", &[("traceparent", PARENT), ("grpc-timeout", "0n")]).await;
    assert_eq!(refused.header("x-trace-id"), Some("0af7651916cd43dd8448eb211c80319c"));
}

#[propagate]
async fn stock() -> Result<u64, Status> {
    Ctx::current().check()?;
    waits().await?;
    Ok(7)
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn propagated_code_unwinds_with_a_status() {
    let script = Script::default().unary(|_| async {
        let status = stock().with(&Ctx::current()).await.unwrap_err();
        let cause = Cancelled::try_from(status.clone()).unwrap();
        assert!(cause.is_deadline() && cause.budget() == Some(Duration::from_millis(250)));
        Err::<Response<Answer>, _>(status)
    });
    let address = serve(CtxLayer::mesh(), script).await;
    let mut raw = Raw::connect(address).await;
    let end = raw.call("Unary", &[("grpc-timeout", "250m")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded), "{end:?}");
    assert_eq!(end.message, "the%20deadline%20passed:%20the%20budget%20was%20250ms");
    assert_eq!(end.header("x-deadline-exceeded"), Some("caller"));
}

#[tokio::test(start_paused = true)]
async fn what_another_hop_said_of_its_caller_is_not_repeated() {
    let script = Script::default().unary(|_| async {
        let mut status = Status::deadline_exceeded("theirs");
        status.metadata_mut().insert("x-deadline-exceeded", "caller".parse().unwrap());
        Err::<Response<Answer>, _>(status)
    });
    let address = serve(CtxLayer::mesh(), script).await;
    let end = Raw::connect(address).await.call("Unary", &[("grpc-timeout", "9S")]).await;
    assert_eq!(end.code, Some(Code::DeadlineExceeded));
    assert_eq!(end.header("x-deadline-exceeded"), None);
}

#[tokio::test(start_paused = true)]
async fn metadata_of_all_kinds_passes_through() {
    let script = Script::default().unary(|request: Request<Ask>| async move {
        let mut answer = Response::new(Answer::said("seen"));
        for key in ["x-long", "x-mine"] {
            for value in request.metadata().get_all(key) {
                answer.metadata_mut().append(key, value.clone());
            }
        }
        let bytes = request.metadata().get_bin("x-bytes-bin").expect("binary").clone();
        answer.metadata_mut().insert_bin("x-bytes-bin", bytes);
        Ok(answer)
    });
    let address = serve(CtxLayer::mesh(), script).await;
    let ctx = Ctx::background().with_timeout(Duration::from_secs(60));
    let bytes = tonic::metadata::MetadataValue::from_bytes(&[0, 1, 254, 255]);
    // 12 KiB are what both ends let through by default, with all else that a call has.
    let long = "x".repeat(12 * 1024);
    let mut request = Request::new(Ask::default());
    request.metadata_mut().insert("x-long", long.parse().unwrap());
    request.metadata_mut().append("x-mine", "one".parse().unwrap());
    request.metadata_mut().append("x-mine", "two".parse().unwrap());
    request.metadata_mut().insert_bin("x-bytes-bin", bytes.clone());
    let mut client = client(address);
    let answer = ctx.scope(client.unary(request)).await.unwrap();
    assert_eq!(answer.metadata().get("x-long").unwrap(), long.as_str());
    assert_eq!(answer.metadata().get_all("x-mine").iter().count(), 2);
    assert_eq!(answer.metadata().get_bin("x-bytes-bin").unwrap(), bytes);
}
