//! What a call of ours sends, and where none is sent.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "channel/ends.rs"]
mod ends;

use std::net::SocketAddr;
use std::time::Duration;

use common::{client, endpoint, serve, serve_plain};
use ctxprop::trust::Mesh;
use ctxprop::wire::budget::parse_grpc_timeout;
use ctxprop::{Background, Baggage, Cancelled, Cause, Ctx, SpanContext};
use ctxprop_grpc_probe::{Answer, Ask, ProbeClient, Script};
use ctxprop_tonic::{CtxChannel, CtxLayer};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tonic::metadata::MetadataMap;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Request, Response, Status};
use tower::util::MapRequest;

#[derive(Baggage)]
struct Caller {
    #[baggage(key = "tenant")]
    tenant: String,
    #[baggage(key = "user.id", private)]
    user: u64,
}

#[derive(Baggage)]
struct Public {
    #[baggage(key = "tenant")]
    tenant: String,
}

fn caller() -> Ctx {
    let caller = Caller { tenant: "acme".to_owned(), user: 7 };
    let root = Ctx::background().with_span(SpanContext::root());
    root.with_timeout(Duration::from_secs(9)).with_baggage(&caller).expect("it is little")
}

/// Tells what it was sent.
async fn listening() -> (SocketAddr, UnboundedReceiver<MetadataMap>) {
    let (sender, sent) = unbounded_channel();
    let script = Script::default().unary(move |request: Request<Ask>| {
        drop(sender.send(request.metadata().clone()));
        async { Ok(Response::new(Answer::default())) }
    });
    (serve_plain(script).await, sent)
}

type WithBody = http::Request<tonic::body::Body>;

fn text<'a>(metadata: &'a MetadataMap, key: &str) -> Option<&'a str> {
    metadata.get(key).and_then(|value| value.to_str().ok())
}

#[tokio::test(start_paused = true)]
async fn a_call_tells_trace_baggage_and_what_remains() {
    let (address, mut sent) = listening().await;
    let ctx = caller();
    tokio::time::advance(Duration::from_micros(1_500_000)).await;
    ctx.scope(client(address).unary(Ask::default())).await.unwrap();
    let sent = sent.recv().await.unwrap();
    let trace = ctx.span().trace_id();
    let parent = text(&sent, "traceparent").unwrap();
    assert!(parent.starts_with(&format!("00-{trace}-")), "{parent}");
    assert!(!parent.contains(&ctx.span().span_id().to_string()), "a span of its own: {parent}");
    assert_eq!(text(&sent, "baggage"), Some("tenant=acme,user.id=7;private"));
    // The clock of a test stands still, but for whole milliseconds while nothing is to be done.
    assert_eq!(text(&sent, "grpc-timeout"), Some("7500000u"));
    for other in ["x-timeout-ms", "x-deadline"] {
        assert_eq!(text(&sent, other), None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_new_in_each_call_is_in_no_table_of_the_connection_and_arrives_as_it_was_sent() {
    let (address, mut sent) = listening().await;
    let (sender, mut written) = unbounded_channel();
    let channel = MapRequest::new(endpoint(address).connect_lazy(), move |request: WithBody| {
        drop(sender.send(request.headers().clone()));
        request
    });
    let mut client = ProbeClient::new(CtxChannel::new(channel).to("127.0.0.1"));
    let span = SpanContext::root().with_trace_state("theirs=1".parse().unwrap());
    // What is private is marked for its own sake.
    let public = Public { tenant: "acme".to_owned() };
    let ctx = Ctx::background().with_span(span).with_timeout(Duration::from_secs(9));
    let ctx = ctx.with_baggage(&public).unwrap();
    for _ in 0..3 {
        tokio::time::advance(Duration::from_millis(1)).await;
        ctx.scope(client.unary(Ask::default())).await.unwrap();
        let (written, sent) = (written.recv().await.unwrap(), sent.recv().await.unwrap());
        for (key, never_indexed) in [
            ("traceparent", true),
            ("tracestate", true),
            ("grpc-timeout", true),
            ("baggage", false),
        ] {
            assert_eq!(written[key].is_sensitive(), never_indexed, "{key}");
            assert_eq!(text(&sent, key), written[key].to_str().ok(), "{key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_in_the_finest_unit_and_never_more_than_remains() {
    let (address, mut sent) = listening().await;
    let mut client = client(address);
    for (nanos, told) in [
        (99_999_999, "99999999n"),
        (100_000_999, "100000u"),
        (99_999_999_999, "99999999u"),
        (100_000_999_999, "100000m"),
        (100_000_000_000_000, "100000S"),
    ] {
        let ctx = Ctx::background().with_timeout(Duration::from_nanos(nanos));
        ctx.scope(client.unary(Ask::default())).await.unwrap();
        let sent = sent.recv().await.unwrap();
        assert_eq!(text(&sent, "grpc-timeout"), Some(told));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_gets_no_baggage_and_a_guest_none_that_is_private() {
    let (address, mut sent) = listening().await;
    let channel = CtxChannel::lazy(endpoint(address));
    let guests = Mesh::empty().allow("127.0.0.1").unwrap();
    for (channel, told) in [
        (channel.clone(), Some("tenant=acme,user.id=7;private")),
        (channel.clone().mesh(guests), Some("tenant=acme")),
        (channel.clone().mesh(Mesh::empty()), None),
        (channel.clone().to("payments.example"), None),
        (CtxChannel::new(endpoint(address).connect_lazy()), None),
        (
            CtxChannel::new(endpoint(address).connect_lazy()).to("10.1.2.3"),
            Some("tenant=acme,user.id=7;private"),
        ),
    ] {
        for by_hand in [false, true] {
            let mut request = Request::new(Ask::default());
            if by_hand {
                let line = "tenant=acme,user.id=7;private".parse().unwrap();
                request.metadata_mut().insert("baggage", line);
            }
            let ctx = if by_hand { Ctx::background() } else { caller() };
            let mut client = ProbeClient::new(channel.clone());
            ctx.scope(client.unary(request)).await.unwrap();
            let sent = sent.recv().await.unwrap();
            assert_eq!(text(&sent, "baggage"), told, "by hand {by_hand} {channel:?}");
            assert!(text(&sent, "traceparent").is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_set_by_hand_does_not_outlive_what_holds() {
    let (address, mut sent) = listening().await;
    let mut request = Request::new(Ask::default());
    let by_hand = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "theirs=1"),
        ("x-trace-id", "0af7651916cd43dd8448eb211c80319c"),
        ("x-timeout-ms", "99999"),
        ("x-deadline", "2126-11-30T00:00:00Z"),
        ("connect-timeout-ms", "99999"),
        ("grpc-timeout", "99S"),
    ];
    for (key, value) in by_hand {
        request.metadata_mut().insert(key, value.parse().unwrap());
    }
    let ctx = caller();
    ctx.scope(client(address).unary(request)).await.unwrap();
    let sent = sent.recv().await.unwrap();
    assert!(text(&sent, "traceparent").unwrap().contains(&ctx.span().trace_id().to_string()));
    assert_eq!(text(&sent, "grpc-timeout"), Some("9000000u"));
    for key in ["tracestate", "x-trace-id", "x-timeout-ms", "x-deadline", "connect-timeout-ms"] {
        assert_eq!(text(&sent, key), None, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_omitted_is_not_told_and_bounds_all_the_same() {
    let script = Script::default().unary(|request: Request<Ask>| async move {
        for key in ["traceparent", "grpc-timeout"] {
            assert!(request.metadata().get(key).is_none(), "{key}");
        }
        std::future::pending().await
    });
    let channel = CtxChannel::lazy(endpoint(serve_plain(script).await)).omit_trace().omit_budget();
    let mut client = ProbeClient::new(channel);
    let status = caller().scope(client.unary(Ask::default())).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn its_own_timeout_tightens_and_never_extends() {
    let (sender, mut sent) = unbounded_channel();
    let script = Script::default().unary(move |request: Request<Ask>| {
        drop(sender.send(text(request.metadata(), "grpc-timeout").map(str::to_owned)));
        std::future::pending()
    });
    let mut client = client(serve_plain(script).await);
    for (own, told, spent) in [(250, "250000u", 250), (60_000, "9000000u", 9_000)] {
        let mut request = Request::new(Ask::default());
        request.set_timeout(Duration::from_millis(own));
        let ctx = Ctx::background().with_timeout(Duration::from_secs(9));
        let began = tokio::time::Instant::now();
        let status = ctx.scope(client.unary(request)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(Cancelled::find_in(&status).is_some_and(Cancelled::is_deadline));
        assert_eq!(sent.recv().await.unwrap().as_deref(), Some(told));
        let spent = Duration::from_millis(spent);
        assert!(began.elapsed() - spent <= Duration::from_millis(2), "{:?}", began.elapsed());
        assert_eq!(ctx.is_done(), own > 9_000);
    }
    let mut request = Request::new(Ask::default());
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let status = Ctx::background().scope(client.unary(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_an_endpoint_is_a_deadline() {
    let address = serve_plain(Script::default().unary(|_| std::future::pending())).await;
    let endpoint = endpoint(address).timeout(Duration::from_millis(100));
    let mut client = ProbeClient::new(CtxChannel::lazy(endpoint));
    let status = Ctx::background().scope(client.unary(Ask::default())).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(Cancelled::find_in(&status).is_none(), "no context has ended");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_where_nothing_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Whether the peer is told or not.
    let silent = ProbeClient::new(CtxChannel::lazy(endpoint(address)).omit_budget());
    let (cancelled, canceller) = Ctx::background().with_cancel();
    canceller.cancel();
    let (down, canceller) = Ctx::background().with_cancel();
    canceller.cancel_with(Cause::Shutdown);
    let late = Ctx::background().with_timeout(Duration::ZERO);
    let little = Ctx::background().with_timeout(Duration::from_micros(999));
    for (ctx, code) in [
        (cancelled, Code::Cancelled),
        (down, Code::Unavailable),
        (late, Code::DeadlineExceeded),
        (little, Code::DeadlineExceeded),
    ] {
        for mut client in [client(address), silent.clone()] {
            let status = ctx.scope(client.unary(Ask::default())).await.unwrap_err();
            assert_eq!(status.code(), code);
            assert!(Cancelled::find_in(&status).is_some());
        }
    }
    let accepted = tokio::time::timeout(Duration::from_secs(1), listener.accept()).await;
    assert!(accepted.is_err(), "nobody connected");
}

#[tokio::test(start_paused = true)]
async fn outside_of_a_scope_a_call_needs_a_reason() {
    let (address, mut sent) = listening().await;
    let channel = CtxChannel::lazy(endpoint(address));
    let status = ProbeClient::new(channel.clone()).unary(Ask::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("allow_detached"), "{status}");
    assert!(sent.try_recv().is_err());

    let mut detached = ProbeClient::new(channel.allow_detached("a job of its own"));
    let mut request = Request::new(Ask::default());
    request.set_timeout(Duration::from_secs(2));
    detached.unary(request).await.unwrap();
    let alone = sent.recv().await.unwrap();
    assert!(text(&alone, "traceparent").is_some());
    assert_eq!(text(&alone, "grpc-timeout"), Some("2000000u"));
    // In a scope it is a call like any other.
    let ctx = caller();
    ctx.scope(detached.unary(Ask::default())).await.unwrap();
    let ours = sent.recv().await.unwrap();
    assert!(text(&ours, "traceparent").unwrap().contains(&ctx.span().trace_id().to_string()));
    // And so is one that brings its context along.
    let mut request = Request::new(Ask::default());
    request.extensions_mut().insert(ctx.clone());
    detached.unary(request).await.unwrap();
    let ours = sent.recv().await.unwrap();
    assert!(text(&ours, "traceparent").unwrap().contains(&ctx.span().trace_id().to_string()));
}

#[tokio::test(start_paused = true)]
async fn interceptors_of_others_see_the_call_first() {
    let (address, mut sent) = listening().await;
    let adds = |mut request: Request<()>| -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", "Bearer token".parse().unwrap());
        Ok(request)
    };
    let channel = CtxChannel::lazy(endpoint(address));
    let mut client = ProbeClient::new(InterceptedService::new(channel, adds));
    caller().scope(client.unary(Ask::default())).await.unwrap();
    let sent = sent.recv().await.unwrap();
    assert_eq!(text(&sent, "authorization"), Some("Bearer token"));
    assert!(text(&sent, "traceparent").is_some());
}

#[tokio::test(start_paused = true)]
async fn each_hop_is_granted_less() {
    let (address, mut sent) = listening().await;
    let middle = Script::default().unary(move |_| {
        let mut next = client(address);
        async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            next.unary(Ask::default()).await
        }
    });
    let mut client = client(serve(CtxLayer::mesh(), middle).await);
    caller().scope(client.unary(Ask::default())).await.unwrap();
    let sent = sent.recv().await.unwrap();
    let left = parse_grpc_timeout(text(&sent, "grpc-timeout").unwrap().as_bytes()).unwrap();
    assert!(
        left <= Duration::from_millis(8_500) && left > Duration::from_millis(8_490),
        "{left:?}"
    );
    assert_eq!(text(&sent, "baggage"), Some("tenant=acme,user.id=7;private"));
}
