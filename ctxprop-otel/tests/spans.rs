//! The spans that are exported: over real sockets, with the ids that travelled.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Ctx, SpanContext, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_otel::opentelemetry::trace::{
    Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use ctxprop_otel::opentelemetry::{Context, KeyValue};
use ctxprop_otel::{CtxExt, carried, faults};
use ctxprop_reqwest::Client;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tracing_subscriber::layer::SubscriberExt;

#[path = "support/common.rs"]
mod common;

use common::{Exported, attribute, keys, serve, span_id, trace_id};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

#[derive(Clone)]
struct Hop {
    client: Client,
    next: Option<String>,
    /// The `traceparent` of each request that came.
    came: Arc<Mutex<Vec<String>>>,
}

type Failure = (axum::http::StatusCode, String);

#[propagate]
async fn visit(ctx: Ctx, State(hop): State<Hop>, headers: HeaderMap) -> Result<String, Failure> {
    let came = headers.get("traceparent").map(|line| line.to_str().unwrap().to_owned());
    hop.came.lock().unwrap().push(came.unwrap_or_default());
    assert!(ctx.span().is_valid());
    match &hop.next {
        Some(next) => instrumented(&hop.client, next).await,
        None => Ok("done".to_owned()),
    }
}

#[tracing::instrument(skip_all, fields(n = 1))]
#[propagate]
async fn instrumented(client: &Client, next: &str) -> Result<String, Failure> {
    spanned(client, next).await
}

#[propagate(span = "spanned", fields(n = 2))]
async fn spanned(client: &Client, next: &str) -> Result<String, Failure> {
    ask(client, next).await
}

#[propagate]
async fn ask(client: &Client, url: &str) -> Result<String, Failure> {
    let failed = |error: ctxprop_reqwest::Error| (error.http_status(), error.to_string());
    let response = client.get(url).send().await.map_err(failed)?;
    response.error_for_status().map_err(failed)?.text().await.map_err(failed)
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

fn hop(next: Option<String>) -> Hop {
    Hop { client: client(), next, came: Arc::default() }
}

fn app(hop: &Hop) -> Router {
    Router::new()
        .route("/visits/{id}", get(visit))
        .with_state(hop.clone())
        .layer(CtxLayer::mesh().default_budget(Duration::from_secs(60)))
}

async fn get_with(url: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    let http = ctxprop_reqwest::reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        headers.iter().fold(http.get(url), |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn one_trace_with_the_ids_that_are_on_the_wire_and_in_the_logs() {
    let exported = Exported::here();
    let last = hop(None);
    let last_url = format!("{}/visits/2", serve(app(&last)).await);
    let first = hop(Some(last_url.clone()));
    let first_url = format!("{}/visits/1", serve(app(&first)).await);
    let parent = format!("00-{TRACE}-{CALLER}-03");
    let (status, said) =
        get_with(&first_url, &[("traceparent", &parent), ("tracestate", "rojo=1,congo=2")]).await;
    assert_eq!((status, said.as_str()), (200, "done"));
    exported.until(5).await;

    let spans = exported.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(spans.len(), 5, "{names:?}");
    let servers: Vec<_> = spans.iter().filter(|span| span.span_kind == SpanKind::Server).collect();
    let (last_server, first_server) = match servers[..] {
        [one, other] if one.parent_span_id.to_string() == CALLER => (other, one),
        [one, other] => (one, other),
        _ => panic!("{names:?}"),
    };
    let (send, spanned, instrumented) =
        (exported.span("GET"), exported.span("spanned"), exported.span("instrumented"));

    // one trace, each below the one before
    for span in &spans {
        assert_eq!(trace_id(span).to_string(), TRACE);
        assert_eq!(span.span_context.trace_state().header(), "rojo=1,congo=2");
        assert!(span.span_context.is_sampled());
    }
    assert_eq!(first_server.parent_span_id.to_string(), CALLER);
    assert_eq!(instrumented.parent_span_id, span_id(first_server));
    assert_eq!(spanned.parent_span_id, span_id(&instrumented));
    assert_eq!(send.parent_span_id, span_id(&spanned));
    assert_eq!(last_server.parent_span_id, span_id(&send));
    assert!(first_server.parent_span_is_remote && last_server.parent_span_is_remote);
    assert!(!send.parent_span_is_remote && !instrumented.parent_span_is_remote);

    // kinds and names
    assert_eq!(
        (first_server.name.as_ref(), &send.span_kind),
        ("GET /visits/{id}", &SpanKind::Client)
    );
    assert_eq!(
        (&spanned.span_kind, &instrumented.span_kind),
        (&SpanKind::Internal, &SpanKind::Internal)
    );

    // on the wire
    assert_eq!(*first.came.lock().unwrap(), [parent]);
    let wire = format!("00-{TRACE}-{}-03", span_id(&send));
    assert_eq!(*last.came.lock().unwrap(), [wire]);

    // in the logs
    let requests = exported.logged.named("request");
    let ids = |span: &opentelemetry_sdk::trace::SpanData| {
        (span_id(span).to_string(), span.parent_span_id.to_string())
    };
    let logged: Vec<_> =
        requests.iter().map(|log| (log["span_id"].clone(), log["parent_id"].clone())).collect();
    assert_eq!(logged, [ids(first_server), ids(last_server)]);
    let log = &exported.logged.named("send")[0];
    assert_eq!((log["span_id"].clone(), log["parent_id"].clone()), ids(&send));
    let log = &exported.logged.named("spanned")[0];
    assert_eq!((log["span_id"].clone(), log["parent_id"].clone()), ids(&spanned));
    assert!(requests.iter().all(|log| log["trace_id"] == TRACE));

    // attributes
    assert_eq!(attribute(first_server, "http.request.method").as_deref(), Some("GET"));
    assert_eq!(attribute(first_server, "http.route").as_deref(), Some("/visits/{id}"));
    assert_eq!(attribute(first_server, "url.path").as_deref(), Some("/visits/1"));
    assert_eq!(attribute(first_server, "url.scheme").as_deref(), Some("http"));
    assert_eq!(attribute(first_server, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute(first_server, "ctxprop.cause").as_deref(), Some("finished"));
    let budget: i64 = attribute(last_server, "ctxprop.budget_ms").unwrap().parse().unwrap();
    assert!(budget <= attribute(&send, "ctxprop.budget_ms").unwrap().parse().unwrap());
    assert!((1..60_000).contains(&budget), "{budget}");
    assert_eq!(attribute(&send, "url.full").as_deref(), Some(last_url.as_str()));
    assert_eq!(attribute(&send, "server.address").as_deref(), Some("127.0.0.1"));
    let port = last_url.rsplit(':').next().and_then(|rest| rest.split('/').next());
    assert_eq!(attribute(&send, "server.port").as_deref(), port);
    assert_eq!(attribute(&send, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute(&spanned, "n").as_deref(), Some("2"));
    for span in &spans {
        let ours = ["trace_id", "span_id", "parent_id", "status", "cause", "method", "budget"];
        assert!(!keys(span).iter().any(|key| ours.contains(key)), "{span:?}");
        assert_eq!(span.status, Status::Unset);
        assert!(span.links.links.is_empty());
    }
}

#[tokio::test]
async fn a_trace_that_begins_here_has_the_id_that_went_out() {
    let exported = Exported::here();
    let last = hop(None);
    let last_url = format!("{}/visits/2", serve(app(&last)).await);
    let first = hop(Some(last_url));
    let first_url = format!("{}/visits/1", serve(app(&first)).await);
    get_with(&first_url, &[]).await;
    exported.until(5).await;
    let came = last.came.lock().unwrap()[0].clone();
    let root = exported
        .spans()
        .into_iter()
        .find(|span| span.parent_span_id.to_string() == "0000000000000000")
        .unwrap();
    assert_eq!(root.span_kind, SpanKind::Server);
    assert_eq!(came, format!("00-{}-{}-03", trace_id(&root), span_id(&exported.span("GET"))));
    assert_eq!(exported.logged.named("request")[0]["span_id"], span_id(&root).to_string());
}

#[tokio::test]
async fn what_is_not_sampled_goes_out_as_not_sampled_and_is_not_exported() {
    let exported = Exported::sampled_by(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)));
    let last = hop(None);
    let last_url = format!("{}/visits/2", serve(app(&last)).await);
    let first_url = format!("{}/visits/1", serve(app(&hop(Some(last_url)))).await);
    get_with(&first_url, &[]).await;
    let came = last.came.lock().unwrap()[0].clone();
    assert!(came.ends_with("-02"), "{came}");
    assert!(exported.spans().is_empty());
    // The caller's decision holds.
    get_with(&first_url, &[("traceparent", &format!("00-{TRACE}-{CALLER}-01"))]).await;
    exported.until(5).await;
}

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

#[tokio::test]
async fn a_method_that_nobody_knows_makes_no_name() {
    let exported = Exported::here();
    let url = serve(app(&hop(None))).await;
    let http = ctxprop_reqwest::reqwest::Client::builder().no_proxy().build().unwrap();
    let method = ctxprop_reqwest::Method::from_bytes(b"BREW").unwrap();
    http.request(method, format!("{url}/visits/1")).send().await.unwrap();
    exported.until(1).await;
    let span = exported.spans().remove(0);
    assert_eq!(span.name, "HTTP /visits/{id}");
    assert_eq!(attribute(&span, "http.request.method").as_deref(), Some("_OTHER"));
    assert_eq!(attribute(&span, "http.request.method_original").as_deref(), Some("BREW"));
}

#[tracing::instrument(skip_all, fields(trace_id = %Ctx::current().span().trace_id(), span_id = %Ctx::current().span().span_id()))]
async fn logs_its_ids() {
    tracing::info_span!("inner", trace_id = TRACE, span_id = CALLER).in_scope(|| ());
}

#[tracing::instrument(name = "request", skip_all, fields(trace_id = TRACE, span_id = CALLER))]
async fn pretends() {}

#[propagate(span = "outer")]
async fn outer() {
    tokio::join!(logs_its_ids(), pretends());
}

#[tokio::test]
async fn ids_that_a_function_logs_do_not_become_its_own() {
    let exported = Exported::here();
    let ctx = Ctx::background().child_span();
    outer().with(&ctx).await;
    let (outer, logs, inner, pretends) = (
        exported.span("outer"),
        exported.span("logs_its_ids"),
        exported.span("inner"),
        exported.span("request"),
    );
    let ids: std::collections::HashSet<_> = exported.spans().iter().map(span_id).collect();
    assert_eq!(ids.len(), 4, "each has one of its own");
    assert!(exported.spans().iter().all(|span| trace_id(span) == trace_id(&outer)));
    assert_eq!((logs.parent_span_id, pretends.parent_span_id), (span_id(&outer), span_id(&outer)));
    assert_eq!(inner.parent_span_id, span_id(&logs));
    assert_eq!(
        attribute(&pretends, "trace_id").as_deref(),
        Some(TRACE),
        "an attribute like any other"
    );
}

#[tracing::instrument]
async fn in_a_task() {}

#[tokio::test]
async fn a_task_that_carries_the_context_is_below_the_span_it_was_spawned_in() {
    let exported = Exported::here();
    let ctx = Ctx::background().child_span();
    let spawned = tracing::info_span!("spawns").in_scope(|| {
        // Without a context of ctxprop's the span is of a trace of its own.
        tokio::spawn(carried(in_a_task()))
    });
    spawned.await.unwrap();
    assert_eq!(exported.span("in_a_task").parent_span_id, span_id(&exported.span("spawns")));

    let count = exported.spans().len();
    let in_scope = ctx.sync_scope(|| {
        tracing::info_span!("spawns too")
            .in_scope(|| (ctx.spawn(carried(in_a_task())), ctx.spawn(in_a_task())))
    });
    in_scope.0.await.unwrap();
    in_scope.1.await.unwrap();
    let spans = exported.spans();
    let parents: Vec<_> = spans[count..]
        .iter()
        .filter(|span| span.name == "in_a_task")
        .map(|span| (trace_id(span).to_string(), span.parent_span_id.to_string()))
        .collect();
    let trace = ctx.span().trace_id().to_string();
    let carried = span_id(&exported.span("spawns too")).to_string();
    assert!(parents.contains(&(trace.clone(), carried)), "{parents:?}");
    // Without it, the trace is right all the same.
    assert!(parents.iter().all(|(of, _)| *of == trace), "{parents:?}");
}

#[tokio::test]
async fn a_span_of_another_trace_does_not_take_a_request_over() {
    let exported = Exported::here();
    let ctx = Ctx::background().child_span();
    let connection = tracing::info_span!("connection");
    connection.in_scope(|| {
        ctx.sync_scope(|| tracing::info_span!("inside").in_scope(|| ()));
    });
    drop(connection);
    let (inside, connection) = (exported.span("inside"), exported.span("connection"));
    assert_eq!(trace_id(&inside).to_string(), ctx.span().trace_id().to_string());
    assert_eq!(inside.parent_span_id.to_string(), ctx.span().span_id().to_string());
    let link = &inside.links.links[0].span_context;
    assert_eq!(link.span_id(), span_id(&connection), "what enclosed it is linked");
    // What was extracted from a message, and set on purpose, stays.
    let remote = SpanContext::root().with_remote(true);
    let cx = Context::new().with_remote_span_context(ctxprop_otel::to_span_context(&remote));
    let _current = cx.attach();
    ctx.sync_scope(|| tracing::info_span!("consumed").in_scope(|| ()));
    assert_eq!(exported.span("consumed").parent_span_id.to_string(), remote.span_id().to_string());
}

#[tokio::test]
async fn spans_of_opentelemetrys_own_interface_are_parents_too() {
    let exported = Exported::here();
    let last = hop(None);
    let url = format!("{}/visits/2", serve(app(&last)).await);
    let ctx = Ctx::background().child_span();
    let tracer = exported.provider().tracer("by hand");
    let span = tracer.start_with_context("by hand", &ctx.otel_context());
    let by_hand = span.span_context().clone();
    let cx = ctx.otel_context().with_span(span);
    let client = client();
    let send = {
        let _current = cx.clone().attach();
        carried(client.get(&url).send().with(&ctx))
    };
    send.await.unwrap();
    cx.span().set_attribute(KeyValue::new("a", 1));
    cx.span().end();
    exported.until(3).await;
    let span = exported.span("by hand");
    assert_eq!(span.parent_span_id.to_string(), ctx.span().span_id().to_string());
    assert_eq!(exported.span("GET").parent_span_id, by_hand.span_id());
    assert!(last.came.lock().unwrap()[0].contains(&span_id(&exported.span("GET")).to_string()));
}

#[tokio::test]
async fn a_provider_without_our_ids_is_told_of_and_counted() {
    let before = faults().other_ids;
    let exporter = opentelemetry_sdk::trace::InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let subscriber =
        tracing_subscriber::registry().with(ctxprop_otel::layer(provider.tracer("test")));
    let _default = tracing::subscriber::set_default(subscriber);
    let ctx = Ctx::background().child_span();
    outer().with(&ctx).await;
    assert!(faults().other_ids > before);
    let spans = exporter.get_finished_spans().unwrap();
    assert!(
        spans.iter().all(|span| trace_id(span).to_string() == ctx.span().trace_id().to_string())
    );
}
