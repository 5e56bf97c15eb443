//! The span that is active in OpenTelemetry is the one that what goes out hangs below.

use ctxprop::wire::set_active_span;
use ctxprop::{SpanContext, TraceFlags};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

use crate::span_context::{from_span_context, span_id, trace_id};

/// Has each hop of this process begin below OpenTelemetry's active span: its id is the parent of what clients send,
/// and what [`Ctx::inject`](ctxprop::Ctx::inject) writes. `layer` calls it; call it yourself where the spans are made
/// by OpenTelemetry's own interface.
///
/// Only a span of the context's own trace counts, or any where the context has none. It holds as long as the process
/// lasts. False where something else than this crate was there before, which stays.
///
/// # Examples
///
/// ```
/// use ctxprop::{Background, Ctx, SpanContext};
/// use ctxprop_otel::CtxExt;
///
/// assert!(ctxprop_otel::install());
/// let ctx = Ctx::background().child_span();
/// let inner = ctx.child_span();
/// let _active = inner.otel_context().attach();
/// assert_eq!(ctx.active_span().span_id(), inner.span().span_id());
///
/// let other = Ctx::background().child_span();
/// assert_eq!(other.active_span(), *other.span(), "that is another trace");
/// ```
pub fn install() -> bool {
    set_active_span(active)
}

fn active(own: &SpanContext) -> Option<SpanContext> {
    Context::map_current(|cx| {
        let span = cx.span();
        let active = span.span_context();
        let ours = !own.is_valid() || own.trace_id() == trace_id(active);
        if !ours || !active.is_valid() {
            return None;
        }
        if own.span_id() == span_id(active) && own.is_sampled() == active.is_sampled() {
            return Some(own.clone());
        }
        let found = from_span_context(active);
        // OpenTelemetry does not know that our trace ids are random, and tells it to nobody.
        let random = TraceFlags::from_bits(own.flags().bits() & TraceFlags::RANDOM.bits());
        let flags = found.flags() | random;
        let state = match found.trace_state().is_empty() {
            true => own.trace_state().clone(),
            false => found.trace_state().clone(),
        };
        Some(SpanContext::new(found.trace_id(), found.span_id(), flags).with_trace_state(state))
    })
}
