//! [`CtxTracer`]: starts spans at the place in the trace that ctxprop knows.

use std::borrow::Cow;

use ctxprop::Ctx;
use opentelemetry::Context;
use opentelemetry::trace::{Span, SpanBuilder, Tracer};

use super::conventions::{Begun, Hop, Outcome};
use super::own::{Own, Remembered, budget, check, is_recorded, parent_of_another, remember};
use super::span::CtxSpan;
use crate::next;
use crate::span_context::to_span_context;

/// A tracer that starts the spans of `tracing` where they belong: below the caller's span, with the ids that are on the
/// wire and in the logs, named as OpenTelemetry's semantic conventions name them.
///
/// [`layer`](crate::layer) makes one. What OpenTelemetry's own interface starts with it is a child of the current
/// context's span, where no span of that trace is active.
#[derive(Debug, Clone)]
pub struct CtxTracer<T> {
    tracer: T,
}

impl<T> CtxTracer<T> {
    /// Starts its spans with `tracer`, whose provider should have [`CtxIds`](crate::CtxIds).
    pub fn new(tracer: T) -> Self {
        CtxTracer { tracer }
    }

    /// The tracer that starts the spans.
    pub fn inner(&self) -> &T {
        &self.tracer
    }
}

impl<T: Tracer> Tracer for CtxTracer<T> {
    type Span = CtxSpan<T::Span>;

    fn span_builder<N: Into<Cow<'static, str>>>(&self, name: N) -> SpanBuilder {
        let mut builder = self.tracer.span_builder(name);
        if Hop::named(&builder.name) == Some(Hop::Server) {
            remember(&mut builder);
        }
        builder
    }

    fn build_with_context(&self, mut builder: SpanBuilder, parent_cx: &Context) -> Self::Span {
        let remembered = Remembered::take(&mut builder);
        let ctx = Ctx::try_current();
        let here = ctx.as_ref().map(Ctx::span).filter(|span| span.is_valid());
        let attributes = builder.attributes.take().unwrap_or_default();
        let own = Own::of(&builder.name, &attributes, here);
        let Some(mut own) = own else {
            builder.attributes = Some(attributes);
            let moved = parent_of_another(parent_cx, here);
            let Some((parent, link)) = moved else {
                let span = self.tracer.build_with_context(builder, parent_cx);
                return CtxSpan::new(span, Outcome::of_function(), None, ctx);
            };
            if let Some(link) = link {
                builder.links.get_or_insert_default().push(link);
            }
            let span = self.tracer.build_with_context(builder, &parent);
            return CtxSpan::new(span, Outcome::of_function(), None, ctx);
        };
        if is_recorded(parent_cx, &own) {
            return CtxSpan::recorded(parent_cx.clone(), builder);
        }
        if own.hop == Hop::Function && own.parent_id.is_none() {
            own.parent_id = here.and_then(ctxprop::SpanContext::parent_id).filter(|_| {
                // What encloses it in `tracing` comes first.
                !is_in(parent_cx, &own)
            });
        }
        let (known, left) = match remembered {
            Some(Remembered { span, budget }) => (Some(span), budget),
            None => (None, ctx.as_ref().and_then(budget)),
        };
        let parent = own.parent(parent_cx, &[known, here.map(to_span_context)]);
        builder.span_kind.get_or_insert(own.hop.kind());
        let Begun { outcome, name, attributes, known_by_now } =
            Outcome::begin(own.hop, attributes, left);
        if let Some(name) = name {
            builder.name = name;
        }
        builder.attributes = Some(attributes);
        let ids = (own.trace_id, own.span_id);
        let span = next::with(ids, || self.tracer.build_with_context(builder, &parent));
        check(span.span_context(), &own);
        // A server's span tells its end itself.
        let ctx = ctx.filter(|_| own.hop != Hop::Server);
        let mut span = CtxSpan::new(span, outcome, own.claim, ctx);
        span.set_attributes(known_by_now);
        span
    }
}

/// Whether a span of the same trace is active.
fn is_in(cx: &Context, own: &Own) -> bool {
    use opentelemetry::trace::TraceContextExt;
    let span = cx.span();
    let active = span.span_context();
    active.is_valid() && crate::span_context::trace_id(active) == own.trace_id
}
