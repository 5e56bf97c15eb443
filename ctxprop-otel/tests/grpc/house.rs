//! A call of gRPC as it is exported: over real sockets, with the ids that travelled, however it ends. And a propagator in
//! place of W3C's headers, or one that panics.

use std::net::SocketAddr;
use std::time::Duration;

use ctxprop::wire::Formats;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_grpc_probe::{Answer, Ask, ProbeClient, ProbeServer, Script};
use ctxprop_otel::faults;
use ctxprop_otel::opentelemetry::trace::{SpanKind, Status};
use ctxprop_tonic::{CtxChannel, CtxLayer};
use opentelemetry_sdk::trace::SpanData;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Request, Response};

use super::common::{Exported, attribute, keys, span_id, trace_id};
use super::propagators::{B3, PANICS};

#[propagate(span)]
async fn waits(began: UnboundedSender<()>) -> Result<(), Cancelled> {
    began.send(()).ok();
    std::future::pending().await
}

#[propagate(span)]
async fn looks_up(
    what: String,
    began: UnboundedSender<()>,
) -> Result<Response<Answer>, tonic::Status> {
    match what.as_str() {
        "wait" => waits(began).await?,
        "fail" => return Err(tonic::Status::not_found("there is none")),
        "break" => return Err(tonic::Status::internal("broken")),
        "panic" => panic!("a bug, on purpose"),
        _ => {}
    }
    Ok(Response::new(Answer::said("found")))
}

pub(crate) struct House {
    pub(crate) address: SocketAddr,
    came: UnboundedReceiver<MetadataMap>,
    pub(crate) began: UnboundedReceiver<()>,
    root: Ctx,
    pub(crate) client: ProbeClient<CtxChannel>,
}

impl House {
    pub(crate) async fn open(formats: Formats) -> House {
        let (tell, came) = unbounded_channel();
        let (begin, began) = unbounded_channel();
        let script = Script::default().unary(move |request: Request<Ask>| {
            tell.send(request.metadata().clone()).ok();
            let found = looks_up(request.into_inner().what, begin.clone());
            async move { found.with(&Ctx::current()).await }
        });
        let root = Ctx::background();
        let layer = CtxLayer::mesh().under(&root).default_budget(Duration::from_secs(60));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server =
            Server::builder().layer(layer.formats(formats)).add_service(ProbeServer::new(script));
        tokio::spawn(server.serve_with_incoming(incoming));
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let client = ProbeClient::new(CtxChannel::lazy(endpoint).formats(formats));
        House { address, came, began, root, client }
    }
}

#[propagate(span)]
async fn asks(mut client: ProbeClient<CtxChannel>, what: &str) -> Result<String, tonic::Status> {
    let ask = Ask { what: what.to_owned(), number: 0 };
    Ok(client.unary(ask).await?.into_inner().said)
}

/// The spans of one call: what asked, the call at both of its ends, and what looked it up.
struct Call {
    asks: SpanData,
    sent: SpanData,
    called: SpanData,
    looks_up: Option<SpanData>,
}

impl Call {
    /// Of the spans from `since` on, of which there are `count`.
    async fn of(exported: &Exported, since: usize, count: usize) -> Call {
        exported.until(since + count).await;
        let spans = exported.spans().split_off(since);
        let named = |name: &str| spans.iter().find(|span| span.name == name).cloned();
        let hop = |kind| {
            let mut of_kind = spans.iter().filter(|span| span.span_kind == kind);
            of_kind.next().cloned().unwrap()
        };
        let call = Call {
            asks: named("asks").unwrap(),
            sent: hop(SpanKind::Client),
            called: hop(SpanKind::Server),
            looks_up: named("looks_up"),
        };
        for span in &spans {
            assert_eq!(trace_id(span), trace_id(&call.asks), "{spans:#?}");
        }
        assert_eq!(call.sent.parent_span_id, span_id(&call.asks), "the active span is the parent");
        assert_eq!(call.called.parent_span_id, span_id(&call.sent));
        assert!(call.called.parent_span_is_remote && !call.sent.parent_span_is_remote);
        if let Some(looks_up) = &call.looks_up {
            assert_eq!(looks_up.parent_span_id, span_id(&call.called));
        }
        call
    }

    fn codes(&self) -> [Option<String>; 2] {
        [&self.sent, &self.called].map(|span| attribute(span, "rpc.response.status_code"))
    }

    fn failed(&self) -> [bool; 2] {
        [&self.sent, &self.called].map(|span| matches!(span.status, Status::Error { .. }))
    }

    fn causes(&self) -> [Option<String>; 2] {
        [&self.sent, &self.called].map(|span| attribute(span, "ctxprop.cause"))
    }
}

fn some<const N: usize>(texts: [&str; N]) -> [Option<String>; N] {
    texts.map(|text| Some(text.to_owned()))
}

#[tokio::test]
async fn a_call_is_exported_with_the_ids_that_travelled_however_it_ends() {
    let exported = Exported::here();
    let mut house = House::open(Formats::new()).await;
    let ctx = Ctx::background().child_span();

    let said = asks(house.client.clone(), "find").with(&ctx).await.unwrap();
    assert_eq!(said, "found");
    let call = Call::of(&exported, 0, 4).await;
    assert_eq!(call.asks.parent_span_id.to_string(), ctx.span().span_id().to_string());
    let wire = house.came.recv().await.unwrap();
    let wire = wire.get("traceparent").unwrap().to_str().unwrap().to_owned();
    assert_eq!(wire, format!("00-{}-{}-03", trace_id(&call.sent), span_id(&call.sent)));
    for (name, span) in [("send", &call.sent), ("call", &call.called)] {
        let logged = &exported.logged.named(name)[0];
        assert_eq!(logged["trace_id"], trace_id(span).to_string());
        assert_eq!(logged["span_id"], span_id(span).to_string());
        assert_eq!(logged["parent_id"], span.parent_span_id.to_string());
        assert_eq!(span.name, "probe.Probe/Unary");
        assert_eq!(attribute(span, "rpc.system.name").as_deref(), Some("grpc"));
        assert_eq!(attribute(span, "rpc.method").as_deref(), Some("probe.Probe/Unary"));
        let ours = ["trace_id", "span_id", "parent_id", "status", "cause", "service", "method"];
        assert!(!keys(span).iter().any(|key| ours.contains(key)), "{span:?}");
    }
    assert_eq!(attribute(&call.sent, "server.address").as_deref(), Some("127.0.0.1"));
    let port = house.address.port().to_string();
    assert_eq!(attribute(&call.sent, "server.port"), Some(port));
    assert!(attribute(&call.called, "ctxprop.budget_ms").is_some());
    assert_eq!((call.codes(), call.failed()), (some(["OK", "OK"]), [false, false]));
    assert_eq!(call.causes(), [None, Some("finished".to_owned())]);

    // What the service says. What a client does wrong is no error of the server's.
    for (what, code, failed) in
        [("fail", "NOT_FOUND", [true, false]), ("break", "INTERNAL", [true, true])]
    {
        let since = exported.spans().len();
        asks(house.client.clone(), what).with(&ctx).await.unwrap_err();
        let call = Call::of(&exported, since, 4).await;
        assert_eq!((call.codes(), call.failed()), (some([code, code]), failed), "{what}");
    }

    // A deadline, at the same moment for both ends: the clock goes on only where nothing else does.
    tokio::time::pause();
    let since = exported.spans().len();
    let late = ctx.with_timeout(Duration::from_millis(50));
    let status = asks(house.client.clone(), "wait").with(&late).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    house.began.recv().await.unwrap();
    let call = Call::of(&exported, since, 5).await;
    assert_eq!(call.failed(), [true, true]);
    assert_eq!(call.codes()[0].as_deref(), Some("DEADLINE_EXCEEDED"));
    assert_eq!(attribute(&call.sent, "error.type").as_deref(), Some("DEADLINE_EXCEEDED"));
    assert_eq!(call.causes()[1].as_deref(), Some("deadline_exceeded"));
    assert!(matches!(call.looks_up.unwrap().status, Status::Error { .. }));
    tokio::time::resume();

    // A caller that takes the work back.
    let since = exported.spans().len();
    let (cancelled, canceller) = ctx.with_cancel();
    let waiting = tokio::spawn({
        let client = house.client.clone();
        async move { asks(client, "wait").with(&cancelled).await }
    });
    house.began.recv().await.unwrap();
    canceller.cancel();
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), Code::Cancelled);
    let call = Call::of(&exported, since, 5).await;
    assert_eq!((call.failed(), call.codes()[0].as_deref()), ([false, false], Some("CANCELLED")));
    assert_eq!(call.causes(), some(["cancelled", "disconnected"]));

    // One that just goes.
    let since = exported.spans().len();
    let waiting = tokio::spawn({
        let (client, ctx) = (house.client.clone(), ctx.clone());
        async move { asks(client, "wait").with(&ctx).await }
    });
    house.began.recv().await.unwrap();
    waiting.abort();
    let call = Call::of(&exported, since, 5).await;
    assert_eq!(call.failed(), [false, false]);
    assert_eq!(call.causes(), [None, Some("disconnected".to_owned())]);

    // A channel that is not in a trace begins one, with the span of its call.
    let since = exported.spans().len();
    let endpoint = Endpoint::from_shared(format!("http://{}", house.address)).unwrap();
    let channel = CtxChannel::lazy(endpoint).allow_detached("a test");
    ProbeClient::new(channel).unary(Ask::default()).await.unwrap();
    exported.until(since + 3).await;
    let spans = exported.spans().split_off(since);
    let root = spans.iter().find(|span| span.span_kind == SpanKind::Client).unwrap();
    assert_eq!(root.parent_span_id.to_string(), "0000000000000000");
    assert!(spans.iter().all(|span| trace_id(span) == trace_id(root)), "{spans:#?}");
    assert_eq!(house.root.cause(), None::<Cause>);
}

#[tokio::test]
async fn a_propagator_goes_both_ways_and_one_that_panics_hurts_no_call() {
    let exported = Exported::here();
    let ctx = Ctx::background().child_span();
    let mut house = House::open(Formats::new().with_format(&*B3)).await;
    asks(house.client.clone(), "find").with(&ctx).await.unwrap();
    let call = Call::of(&exported, 0, 4).await;
    let b3 = house.came.recv().await.unwrap();
    let b3 = b3.get("b3").unwrap().to_str().unwrap().to_owned();
    assert!(b3.starts_with(&format!("{}-{}-1", trace_id(&call.sent), span_id(&call.sent))), "{b3}");

    let before = faults().propagator_panics;
    let house = House::open(Formats::new().with_format(&*PANICS)).await;
    let said = asks(house.client.clone(), "find").with(&ctx).await.unwrap();
    assert_eq!(said, "found");
    Call::of(&exported, 4, 4).await;
    assert!(faults().propagator_panics >= before + 2, "at both ends");
}
