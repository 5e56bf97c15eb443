//! Which spans are ctxprop's own, and where in the trace a span belongs.
//!
//! # Invariants
//! 1. A span of ctxprop's has the ids that its fields say: those are on the wire and in the logs.
//! 2. Any other span is a child of the active one, or of the current context's where none of that trace is active; an
//!    active parent that is remote was set on purpose, and stays.

use ctxprop::{Ctx, SpanContext, SpanId, TraceFlags, TraceId};
use opentelemetry::trace::{Link, SpanBuilder, SpanContext as OtelSpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue, Value};

use super::conventions::{self, Hop};
use super::live::Claim;
use crate::faults;
use crate::span_context::{span_id, to_span_context, trace_id};

/// Marks the link in which a builder keeps the context that it was made under: no link has lost so many attributes.
const PLACE: u32 = u32::MAX;

/// Has `builder` remember the current context: the server's span is made under its own, and first entered outside of it.
pub(super) fn remember(builder: &mut SpanBuilder) {
    let Some(ctx) = Ctx::try_current().filter(|ctx| ctx.span().is_valid()) else { return };
    let attributes = budget(&ctx).into_iter().collect();
    let place = Link::new(to_span_context(ctx.span()), attributes, PLACE);
    builder.links.get_or_insert_default().push(place);
}

/// What remains of the budget, as an attribute.
pub(super) fn budget(ctx: &Ctx) -> Option<KeyValue> {
    ctx.remaining().map(conventions::budget)
}

/// What [`remember`] kept.
pub(super) struct Remembered {
    pub(super) span: OtelSpanContext,
    pub(super) budget: Option<KeyValue>,
}

impl Remembered {
    pub(super) fn take(builder: &mut SpanBuilder) -> Option<Remembered> {
        let links = builder.links.as_mut()?;
        let at = links.iter().position(|link| link.dropped_attributes_count == PLACE)?;
        let mut link = links.remove(at);
        if links.is_empty() {
            builder.links = None;
        }
        Some(Remembered { span: link.span_context, budget: link.attributes.pop() })
    }
}

/// A span of ctxprop's own.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) hop: Hop,
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent_id: Option<SpanId>,
    /// Held as long as the span is recorded.
    pub(super) claim: Option<Claim>,
}

impl Own {
    /// Reads the ids in what the span says, where it is one of ours. They are no attributes of it.
    pub(super) fn of(
        name: &str,
        attributes: &[KeyValue],
        here: Option<&SpanContext>,
    ) -> Option<Own> {
        // One walk: there are many attributes, and few of them are looked for.
        let (mut trace_id, mut span_id, mut parent_id, mut is_ours) = (None, None, None, false);
        for attribute in attributes {
            match attribute.key.as_str() {
                "trace_id" => trace_id = trace_id.or(Some(&attribute.value)),
                "span_id" => span_id = span_id.or(Some(&attribute.value)),
                "parent_id" => parent_id = parent_id.or(Some(&attribute.value)),
                "target" => is_ours |= says(&attribute.value, "ctxprop"),
                _ => {}
            }
        }
        let (trace_id, span_id): (TraceId, SpanId) = (id(trace_id?)?, id(span_id?)?);
        let (hop, claim) = match Hop::named(name).filter(|_| is_ours) {
            Some(hop) => (hop, Claim::of(span_id)),
            None => {
                let is_here =
                    |here: &&SpanContext| (here.trace_id(), here.span_id()) == (trace_id, span_id);
                here.filter(is_here)?;
                (Hop::Function, Some(Claim::of(span_id)?))
            }
        };
        let parent_id = if hop == Hop::Function { None } else { parent_id.and_then(id) };
        Some(Own { hop, trace_id, span_id, parent_id, claim })
    }

    /// The context to start it in. `known` are spans of its trace that are known here, whose flags and state it shares.
    pub(super) fn parent(&self, parent_cx: &Context, known: &[Option<OtelSpanContext>]) -> Context {
        let active = parent_cx.span().span_context().clone();
        let same_trace = active.is_valid() && trace_id(&active) == self.trace_id;
        let parent_id = match self.parent_id {
            // The hop knows its parent; a function's is the span it is in.
            Some(parent) if same_trace && span_id(&active) == parent => return parent_cx.clone(),
            Some(parent) => Some(parent),
            None if same_trace && self.hop != Hop::Server => return parent_cx.clone(),
            None => None,
        };
        let Some(parent_id) = parent_id else {
            return match active.is_valid() {
                true => parent_cx.with_remote_span_context(OtelSpanContext::NONE),
                false => parent_cx.clone(),
            };
        };
        let mut known = known.iter().flatten();
        let of_trace = known.find(|span| trace_id(span) == self.trace_id);
        let flags = of_trace.map_or(TraceFlags::SAMPLED.bits(), |span| span.trace_flags().to_u8());
        let parent = OtelSpanContext::new(
            opentelemetry::TraceId::from_bytes(self.trace_id.to_bytes()),
            opentelemetry::SpanId::from_bytes(parent_id.to_bytes()),
            opentelemetry::TraceFlags::new(flags),
            self.hop == Hop::Server,
            of_trace.map(|span| span.trace_state().clone()).unwrap_or_default(),
        );
        parent_cx.with_remote_span_context(parent)
    }
}

/// The context to start a span in that is not ours, and a link to the span that it would else be a child of.
pub(super) fn parent_of_another(
    parent_cx: &Context,
    here: Option<&SpanContext>,
) -> Option<(Context, Option<Link>)> {
    let here = here?;
    let active = parent_cx.span().span_context().clone();
    if active.is_valid() && (active.is_remote() || trace_id(&active) == here.trace_id()) {
        return None;
    }
    let link = active.is_valid().then(|| Link::new(active, Vec::new(), 0));
    Some((parent_cx.with_remote_span_context(to_span_context(here)), link))
}

/// Whether `own` is a hop that is [recorded](super::record_hops) already: its span of `tracing` is made inside of what is
/// recorded, and no other span is active at its own place.
pub(super) fn is_recorded(parent_cx: &Context, own: &Own) -> bool {
    let active = parent_cx.span();
    let active = active.span_context();
    own.hop != Hop::Function && (trace_id(active), span_id(active)) == (own.trace_id, own.span_id)
}

/// Tells of ids that are not those that travel.
pub(super) fn check(started: &OtelSpanContext, own: &Own) {
    if started.is_valid() && span_id(started) != own.span_id && faults::other_id() {
        tracing::warn!(
            target: "ctxprop::otel",
            "spans are exported with other ids than those that travel: build the provider with `CtxIds`"
        );
    }
}

fn id<T: std::str::FromStr>(value: &Value) -> Option<T> {
    match value {
        Value::String(text) => text.as_str().parse().ok(),
        _ => None,
    }
}

fn says(value: &Value, text: &str) -> bool {
    matches!(value, Value::String(said) if said.as_str() == text)
}
