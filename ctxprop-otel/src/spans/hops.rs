//! [`record_hops`]: the spans of hops, recorded as they are, without a detour through `tracing`.
//!
//! # Invariants
//! 1. A hop's span is active in OpenTelemetry while the hop is polled and while what is left of it is dropped.
//! 2. It ends as its hop does, exactly once, whoever else still holds a context that it is active in.

use std::fmt;

use ctxprop::wire::{Hop as Begun, HopRecorder, HopRecording, set_hop_recorder};
use ctxprop::{Cause, Ctx};
use opentelemetry::Context;
use opentelemetry::trace::{Span, TraceContextExt, Tracer};

use super::conventions::{Hop, Outcome, Told};
use super::live::Claim;
use super::own::{Own, check};
use super::span::lasting;
use crate::next;
use crate::span_context::to_span_context;

/// Has the span of each hop recorded with `tracer` directly: a server's request or call, and what a client sends. It also
/// calls [`install`](crate::install).
///
/// They are the spans that [`layer`](crate::layer) makes of those hops, with the same names, ids and attributes, at a fraction
/// of the cost: what a hop is, is never made a field of `tracing`, nor looked up in its registry. Without `layer` no other
/// span of `tracing` is exported. With both, `layer` exports the others, which are children of the hops that they are in.
///
/// It holds as long as the process lasts, for all hops that begin after it. The provider needs [`CtxIds`](crate::CtxIds).
/// False where something records hops already, which stays.
///
/// # Examples
///
/// ```
/// use ctxprop_otel::CtxIds;
/// use ctxprop_otel::opentelemetry::trace::TracerProvider;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(CtxIds::new())
///     // .with_batch_exporter(..)
///     .build();
/// assert!(ctxprop_otel::record_hops(provider.tracer("orders")));
/// ```
#[must_use = "where hops are recorded already, this tracer gets none"]
pub fn record_hops<T>(tracer: T) -> bool
where
    T: Tracer + fmt::Debug + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    super::below_the_active_span();
    // As long as the process lasts, as what it is set as.
    set_hop_recorder(Box::leak(Box::new(Recorder(tracer))))
}

#[derive(Debug)]
struct Recorder<T>(T);

impl<T> HopRecorder for Recorder<T>
where
    T: Tracer + fmt::Debug + Send + Sync + 'static,
    T::Span: Send + Sync + 'static,
{
    fn begin(&self, hop: &Begun<'_>) -> Option<Box<dyn HopRecording>> {
        let Recorder(tracer) = self;
        let (kind, place) = (Hop::of(hop.side), hop.span);
        let own = Own {
            hop: kind,
            trace_id: place.trace_id(),
            span_id: place.span_id(),
            parent_id: place.parent_id(),
            claim: Claim::of(place.span_id()),
        };
        let parent = own.parent(&Context::current(), &[Some(to_span_context(place))]);
        let (outcome, name, attributes) = Outcome::of_hop(hop);
        let builder = tracer.span_builder(name).with_kind(kind.kind()).with_attributes(attributes);
        let ids = (own.trace_id, own.span_id);
        let span = next::with(ids, || tracer.build_with_context(builder, &parent));
        check(span.span_context(), &own);
        if !span.span_context().is_valid() {
            // The provider is shut down, or telemetry is suppressed here.
            return None;
        }
        if !span.is_recording() {
            // It tells those below, and the next hop, that it is not sampled, and needs nothing else for that.
            let cx = parent.with_remote_span_context(span.span_context().clone());
            return Some(Box::new(NotSampled { cx }));
        }
        Some(Box::new(Recording {
            cx: parent.with_span(span),
            outcome,
            said: Said::default(),
            // A server's hop is told of its end.
            ctx: (kind != Hop::Server).then(|| hop.ctx.clone()).and_then(lasting),
            _claim: own.claim,
        }))
    }
}

/// A hop that nothing is recorded of.
#[derive(Debug)]
struct NotSampled {
    cx: Context,
}

impl HopRecording for NotSampled {
    fn enter(&self, run: &mut dyn FnMut()) {
        let _active = self.cx.clone().attach();
        run();
    }

    fn answered(&mut self, _: i64) {}
    fn failed(&mut self) {}
    fn ended(&mut self, _: &Cause) {}
}

/// The recording of one hop. Its span is that of its context, where code inside finds it.
#[derive(Debug)]
struct Recording {
    cx: Context,
    outcome: Outcome,
    said: Said,
    /// The context of a client's hop, where its end cuts the hop short.
    ctx: Option<Ctx>,
    /// Holds the id until the span has ended.
    _claim: Option<Claim>,
}

/// How a hop went. The span is told at its end.
#[derive(Debug, Default)]
struct Said {
    failed: bool,
    status: Option<i64>,
    cause: Option<&'static str>,
}

impl HopRecording for Recording {
    fn enter(&self, run: &mut dyn FnMut()) {
        let _active = self.cx.clone().attach();
        run();
    }

    fn failed(&mut self) {
        self.said.failed = true;
    }

    fn answered(&mut self, status: i64) {
        self.said.status = Some(status);
    }

    fn ended(&mut self, cause: &Cause) {
        self.said.cause = Some(cause.as_str());
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let Recording { cx, outcome, said, ctx, .. } = self;
        let span = cx.span();
        // One by one: a list of them costs more than the lock that each takes.
        let tell = |mut told: Told| {
            told.attributes().for_each(|attribute| span.set_attribute(attribute));
            if let Some(status) = told.status {
                span.set_status(status);
            }
        };
        if said.failed {
            tell(outcome.failed());
        }
        if let Some(status) = said.status {
            tell(outcome.answer(status));
        }
        if let Some(cause) = said.cause {
            tell(outcome.caused(cause));
        }
        if let Some(cause) = ctx.take().and_then(|ctx| ctx.cause())
            && let Some(told) = outcome.ended(&cause)
        {
            tell(told);
        }
        span.end();
    }
}
