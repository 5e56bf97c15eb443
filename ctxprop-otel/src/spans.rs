//! The spans that are exported, with the ids and the parents that ctxprop knows: those of `tracing`, by tracing-opentelemetry,
//! and those of hops, directly.
//!
//! tracing-opentelemetry asks a tracer to start a span once it has all that `tracing` said of it. The tracer that stands
//! between it and the SDK is the place where both are known: what the span says, and the context that is current.

mod conventions;
mod hops;
mod live;
mod own;
mod span;
mod tracer;

#[cfg(feature = "tracing")]
use opentelemetry::trace::Tracer;
#[cfg(feature = "tracing")]
use tracing::Subscriber;
#[cfg(feature = "tracing")]
use tracing_opentelemetry::OpenTelemetryLayer;
#[cfg(feature = "tracing")]
use tracing_subscriber::registry::LookupSpan;

pub use hops::record_hops;
pub use span::CtxSpan;
pub use tracer::CtxTracer;

/// Has what goes out hang below OpenTelemetry's active span, or says that it cannot.
fn below_the_active_span() {
    if !crate::install() {
        tracing::warn!(
            target: "ctxprop::otel",
            "another tracing system tells the active span: hops do not hang below OpenTelemetry's"
        );
    }
}

/// The layer for `tracing` by which spans are exported, where they are made by ctxprop, by `#[propagate(span)]`, by
/// `#[tracing::instrument]`, or by hand. It also calls [`install`](crate::install).
///
/// It is tracing-opentelemetry's own, with a [`CtxTracer`], and without the attributes of source location, thread and
/// idle time, which you may switch on again. Its target must stay on: by it ctxprop's own spans are known. So must its
/// activation of contexts. The provider needs [`CtxIds`](crate::CtxIds).
///
/// The spans of hops cost a fraction where [`record_hops`](crate::record_hops) records them: then this exports the others.
///
/// # Examples
///
/// ```
/// use ctxprop_otel::opentelemetry::trace::TracerProvider;
/// use ctxprop_otel::CtxIds;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(CtxIds::new())
///     // .with_batch_exporter(..)
///     .build();
/// let subscriber =
///     tracing_subscriber::registry().with(ctxprop_otel::layer(provider.tracer("orders")));
/// # drop(subscriber);
/// ```
#[cfg(feature = "tracing")]
pub fn layer<S, T>(tracer: T) -> OpenTelemetryLayer<S, CtxTracer<T>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    T: Tracer + 'static,
    T::Span: Send + Sync,
{
    below_the_active_span();
    tracing_opentelemetry::layer()
        .with_tracer(CtxTracer::new(tracer))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
}
