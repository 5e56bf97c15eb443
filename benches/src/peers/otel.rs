//! OpenTelemetry's SDK as a layer and before a client: its two propagators, a sampled span for each request, which a
//! processor takes and drops, and its context around the handler.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context as OtelContext, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tower_layer::Layer;
use tower_service::Service;

/// Takes each span as it ends and drops it, so that no exporter is measured.
#[derive(Debug)]
struct Nowhere;

impl SpanProcessor for Nowhere {
    fn on_start(&self, _: &mut Span, _: &OtelContext) {}

    fn on_end(&self, _: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

static PROVIDER: LazyLock<SdkTracerProvider> =
    LazyLock::new(|| SdkTracerProvider::builder().with_span_processor(Nowhere).build());

/// W3C Trace Context and W3C Baggage.
#[must_use]
pub fn propagator() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
}

static PROPAGATOR: LazyLock<TextMapCompositePropagator> = LazyLock::new(propagator);

/// The context that these headers tell of.
#[must_use]
pub fn extract(headers: &HeaderMap) -> OtelContext {
    PROPAGATOR.extract(&HeaderExtractor(headers))
}

/// The headers of a request in a span of its own below `context`, and that span's context.
#[must_use]
pub fn client_headers(context: &OtelContext) -> (HeaderMap, OtelContext) {
    let tracer = tracer();
    let span = tracer.span_builder("GET").with_kind(SpanKind::Client);
    let context = context.with_span(span.start_with_context(&tracer, context));
    let mut headers = HeaderMap::new();
    PROPAGATOR.inject_context(&context, &mut HeaderInjector(&mut headers));
    (headers, context)
}

fn tracer() -> SdkTracer {
    PROVIDER.tracer("benches")
}

/// The layer.
#[derive(Debug, Clone, Copy)]
pub struct Otel;

/// Its service.
#[derive(Debug, Clone)]
pub struct OtelService<S> {
    inner: S,
    tracer: SdkTracer,
}

impl<S> Layer<S> for Otel {
    type Service = OtelService<S>;

    fn layer(&self, inner: S) -> OtelService<S> {
        OtelService { inner, tracer: tracer() }
    }
}

impl<S> Service<Request> for OtelService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let parent = extract(request.headers());
        let attributes = [
            KeyValue::new("http.request.method", request.method().to_string()),
            KeyValue::new("url.path", request.uri().path().to_owned()),
        ];
        let builder = self.tracer.span_builder("GET").with_kind(SpanKind::Server);
        let span = builder.with_attributes(attributes).start_with_context(&self.tracer, &parent);
        let context = parent.with_span(span);
        let response = {
            let _attached = context.clone().attach();
            self.inner.call(request)
        };
        Box::pin(
            async move {
                let response = response.await;
                if let Ok(response) = &response {
                    let status = i64::from(response.status().as_u16());
                    let context = OtelContext::current();
                    let status = KeyValue::new("http.response.status_code", status);
                    context.span().set_attribute(status);
                }
                response
            }
            .with_context(context),
        )
    }
}
