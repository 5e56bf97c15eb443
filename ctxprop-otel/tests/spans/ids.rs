//! The spans of a request through several services: one trace, with the ids that travelled.

use ctxprop::{Background, Ctx, propagate};
use ctxprop_otel::faults;
use ctxprop_otel::opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;

use super::common::{Exported, Nobody, attribute, keys, serve, span_id, trace_id};
use super::hops::{CALLER, TRACE, app, get_with, hop};

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

#[tokio::test]
async fn a_provider_without_our_ids_is_told_of_and_counted() {
    let before = faults().other_ids;
    let exporter = opentelemetry_sdk::trace::InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let subscriber =
        tracing_subscriber::registry().with(ctxprop_otel::layer(provider.tracer("test")));
    Nobody::listens();
    let _default = tracing::subscriber::set_default(subscriber);
    let ctx = Ctx::background().child_span();
    outer().with(&ctx).await;
    assert!(faults().other_ids > before);
    let spans = exporter.get_finished_spans().unwrap();
    assert!(
        spans.iter().all(|span| trace_id(span).to_string() == ctx.span().trace_id().to_string())
    );
}
