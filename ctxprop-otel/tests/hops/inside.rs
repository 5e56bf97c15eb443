//! What is inside a hop that is recorded directly: its span is OpenTelemetry's active one there, and ends with it alone.

use axum::Router;
use axum::routing::get;
use ctxprop::Ctx;
use ctxprop_axum::CtxLayer;
use ctxprop_otel::carried;
use ctxprop_otel::opentelemetry::trace::{
    Link, SpanKind, TraceContextExt, TraceId, TraceState, Tracer, TracerProvider,
};
use ctxprop_otel::opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use tracing::Instrument;

use super::common::{Exported, Way, attribute, sampler, serve, span_id};
use super::hops::get_with;

/// A handler that has what it does recorded in all ways that there are, and leaves work behind.
fn app(exported: &Exported, way: Way) -> Router {
    let tracer = exported.provider().tracer("by hand");
    let handler = move || {
        let tracer = tracer.clone();
        async move {
            Context::current().span().set_attribute(KeyValue::new("by.hand", 1));
            tracer.in_span("by hand", |_| ());
            tracing::info_span!("inside").in_scope(|| tracing::info!("in it"));
            tracing::info!("in the hop");
            let kept = Context::current();
            let left_behind = async move {
                tokio::task::yield_now().await;
                tracing::info_span!("left behind").in_scope(|| drop(kept));
            };
            match way {
                Way::Apart => tokio::spawn(carried(left_behind)),
                // The usual way, which needs a span of `tracing`.
                _ => tokio::spawn(left_behind.in_current_span()),
            };
            "done"
        }
    };
    Router::new().route("/", get(handler)).layer(CtxLayer::mesh())
}

#[tokio::test]
async fn all_that_is_inside_is_below_it() {
    for (way, count) in [(Way::Tracing, 4), (Way::Direct, 2), (Way::Both, 4), (Way::Apart, 4)] {
        let exported = Exported::by(way, sampler());
        let url = serve(app(&exported, way)).await;
        get_with(&url, &[]).await;
        exported.until(count).await;
        let spans = exported.spans();
        assert_eq!(spans.len(), count, "{way:?}: {spans:#?}");
        let server = exported.span("GET /");
        assert_eq!(server.span_kind, SpanKind::Server);
        assert_eq!(attribute(&server, "by.hand").as_deref(), Some("1"), "it is the active one");
        for span in spans.iter().filter(|span| span.span_kind != SpanKind::Server) {
            assert_eq!(span.parent_span_id, span_id(&server), "{way:?}: {span:?}");
        }
        let events: Vec<_> = server.events.iter().map(|event| event.name.as_ref()).collect();
        match way {
            Way::Direct | Way::Apart => assert!(events.is_empty(), "of `tracing`: {events:?}"),
            Way::Tracing | Way::Both => assert_eq!(events, ["in the hop", "a request is over"]),
        }
    }
}

#[tokio::test]
async fn what_is_not_sampled_is_active_and_not_sampled() {
    for way in [Way::Tracing, Way::Direct, Way::Both, Way::Apart] {
        let exported = Exported::by(way, Sampler::AlwaysOff);
        let seen = get(|| async {
            let (cx, ctx) = (Context::current(), Ctx::current());
            let span = cx.span();
            assert_eq!(span.span_context().span_id().to_string(), ctx.span().span_id().to_string());
            assert!(!span.is_recording() && !ctx.active_span().is_sampled());
            assert!(ctx.span().is_sampled(), "what the caller said");
            "seen"
        });
        let url = serve(Router::new().route("/", seen).layer(CtxLayer::mesh())).await;
        let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(get_with(&url, &[("traceparent", sampled)]).await.1, "seen", "{way:?}");
        assert!(exported.spans().is_empty());
    }
}

/// Samples nothing of what it is to be asked of: a look at the health of a service.
#[derive(Clone, Debug)]
struct NoHealth;

impl ShouldSample for NoHealth {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let path = attributes.iter().find(|it| it.key.as_str() == "url.path");
        let is_health = path.is_some_and(|path| path.value.as_str() == "/health");
        let decision = match is_health && name == "GET /health" && *kind == SpanKind::Server {
            true => SamplingDecision::Drop,
            false => SamplingDecision::RecordAndSample,
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}

#[tokio::test]
async fn a_sampler_sees_what_the_hop_is() {
    let exported = Exported::by(Way::Direct, NoHealth);
    let app = Router::new().route("/health", get(|| async { "well" })).layer(CtxLayer::mesh());
    let url = serve(app).await;
    assert_eq!(get_with(&format!("{url}/health"), &[]).await.1, "well");
    assert!(exported.spans().is_empty());
}
