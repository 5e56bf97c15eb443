//! [`CtxExt`]: a [`Ctx`] as an [`opentelemetry::Context`], and the other way round.
//!
//! # Invariants
//! 1. What one side cannot hold travels along as a value: the `Ctx` in the `Context`, and that one in the `Ctx`. So either
//!    way back gives what there was, with what was changed meanwhile.

use ctxprop::{Baggage, BaggageError, BaggageMap, BaggageMapBuilder, Ctx};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;

use crate::baggage::{merge, to_baggage};
use crate::span_context::{from_span_context, to_span_context};

/// A [`Ctx`] to and from [`opentelemetry::Context`].
///
/// # Examples
///
/// ```
/// use ctxprop::{Background, Ctx};
/// use ctxprop_otel::CtxExt;
/// use ctxprop_otel::opentelemetry::baggage::BaggageExt;
/// use ctxprop_otel::opentelemetry::trace::TraceContextExt;
/// use ctxprop_otel::opentelemetry::{Context, KeyValue};
///
/// let ctx = Ctx::background().child_span();
///
/// // For code that knows OpenTelemetry only ..
/// let cx: Context = ctx.otel_context();
/// assert_eq!(cx.span().span_context().trace_id().to_string(), ctx.span().trace_id().to_string());
///
/// // .. and back, with what that has changed.
/// let cx = cx.with_baggage([KeyValue::new("tenant", "acme")]);
/// let ctx = ctx.with_otel_context(&cx);
/// assert_eq!(ctx.baggage_map().get("tenant"), Some("acme"));
/// ```
pub trait CtxExt: sealed::Sealed {
    /// This context for code that knows OpenTelemetry only: its span is the active one, its baggage is the baggage, and
    /// [`ctx_of`] finds the context itself.
    ///
    /// The span is the one that is being recorded, where that is the current one in OpenTelemetry; else it can be
    /// continued, and records nothing. What was in a `Context` that this one was made
    /// [with](CtxExt::with_otel_context) is still there.
    fn otel_context(&self) -> Context;

    /// A child with the span and the baggage of `cx`: of both what `cx` has, also where it has none of the baggage that this
    /// context has. Without a valid span in `cx` the span stays.
    ///
    /// What W3C's limits have no room for is left out and [counted](crate::faults).
    #[must_use = "contexts are immutable: the new one has the span and the baggage"]
    fn with_otel_context(&self, cx: &Context) -> Ctx;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for ctxprop::Ctx {}
}

/// The [`Ctx`] that `cx` was made of, or of which a parent of it was made.
///
/// # Examples
///
/// ```
/// use ctxprop::{Background, Ctx};
/// use ctxprop_otel::{CtxExt, ctx_of};
///
/// let ctx = Ctx::background().with_value("kept");
/// let found = ctx_of(&ctx.otel_context()).unwrap();
/// assert_eq!(found.value(), Some(&"kept"));
/// ```
#[must_use]
pub fn ctx_of(cx: &Context) -> Option<Ctx> {
    cx.get::<Ctx>().cloned()
}

/// The `Context` that a `Ctx` has its span and baggage of, and what that baggage is here.
struct Taken {
    cx: Context,
    baggage: BaggageMap,
}

impl CtxExt for Ctx {
    fn otel_context(&self) -> Context {
        let taken = self.value::<Taken>();
        let mut cx = taken.map_or_else(Context::new, |taken| taken.cx.clone());
        let span = self.span();
        if span.is_valid() && from_span_context(cx.span().span_context()) != *span {
            let wanted = to_span_context(span);
            let active = Context::map_current(|current| {
                let active = current.span();
                let same = active.span_context().span_id() == wanted.span_id()
                    && active.span_context().trace_id() == wanted.trace_id();
                same.then(|| current.clone())
            });
            cx = match active {
                Some(active) if taken.is_none() => active,
                _ => cx.with_remote_span_context(wanted),
            };
        }
        let map = self.baggage_map();
        if !taken.is_some_and(|taken| same(&taken.baggage, map)) {
            cx = cx.with_baggage(to_baggage(map));
        }
        cx.with_value(self.clone())
    }

    fn with_otel_context(&self, cx: &Context) -> Ctx {
        let of = cx.get::<Ctx>();
        let span = from_span_context(cx.span().span_context());
        let mut ctx = self.clone();
        let kept = of
            .map(Ctx::span)
            .filter(|kept| (kept.trace_id(), kept.span_id()) == (span.trace_id(), span.span_id()));
        match kept {
            Some(kept) if kept == ctx.span() => {}
            Some(kept) => ctx = ctx.with_span(kept.clone()),
            None if span.is_valid() && span != *ctx.span() => ctx = ctx.with_span(span),
            None => {}
        }
        let here = of.unwrap_or(self).baggage_map();
        let unchanged = of.is_some_and(|of| says(cx, of.baggage_map()));
        let map = if unchanged { here.clone() } else { merge(here, cx.baggage()) };
        if !same(&map, ctx.baggage_map())
            && let Ok(with) = ctx.with_baggage(&Exactly(map.clone()))
        {
            ctx = with;
        }
        ctx.with_value(Taken { cx: cx.clone(), baggage: map })
    }
}

/// Whether the baggage of `cx` is what `map` becomes there.
fn says(cx: &Context, map: &BaggageMap) -> bool {
    let (one, other) = (cx.baggage(), to_baggage(map));
    one.len() == other.len()
        && other.iter().all(|(key, pair)| one.get_with_metadata(key) == Some(pair))
}

fn same(one: &BaggageMap, other: &BaggageMap) -> bool {
    one.iter().eq(other.iter())
        && one.iter().all(|(key, _)| one.properties(key).eq(other.properties(key)))
}

/// All baggage, in place of what there was.
struct Exactly(BaggageMap);

impl Baggage for Exactly {
    fn from_baggage(map: &BaggageMap) -> Result<Self, BaggageError> {
        Ok(Exactly(map.clone()))
    }

    fn to_baggage(&self, out: &mut BaggageMapBuilder) -> Result<(), BaggageError> {
        *out = self.0.to_builder();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ctxprop::Background;
    use ctxprop::wire::Incoming;
    use opentelemetry::KeyValue;

    use super::*;

    fn received() -> Ctx {
        let message = vec![
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"),
            ("tracestate", "foo@@bar=1,rojo=2"),
            ("baggage", "z=1;p=%2C;q,user=7;private,a=%20x%25"),
        ];
        let message: Vec<_> =
            message.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ctx::background().with_incoming(Incoming::from_headers(&message)).0
    }

    #[test]
    fn there_and_back_nothing_is_lost() {
        let ctx = received().with_value(7_u8);
        let cx = ctx.otel_context();
        assert_eq!(cx.baggage().get("a").map(|value| value.as_str()), Some(" x%"));
        let back = Ctx::background().with_otel_context(&cx);
        assert_eq!(back.span(), ctx.span(), "with the member that OpenTelemetry cannot hold");
        assert_eq!(back.baggage_map().header_lines(), ctx.baggage_map().header_lines());
        assert!(back.baggage_map().is_private("user"));
        assert_eq!(ctx_of(&cx).unwrap().value(), Some(&7_u8));
    }

    #[derive(Debug, PartialEq)]
    struct Theirs(u8);

    #[test]
    fn the_other_way_round_neither() {
        let mut large = opentelemetry::baggage::Baggage::new();
        large.insert_with_metadata("odd", "\u{20ac}".repeat(1_000), "m=1");
        large.insert("even", "2");
        let span = to_span_context(&ctxprop::SpanContext::root().with_remote(true));
        let cx = Context::new()
            .with_value(Theirs(1))
            .with_remote_span_context(span.clone())
            .with_baggage(
                large
                    .iter()
                    .map(|(k, (v, m))| {
                        opentelemetry::baggage::KeyValueMetadata::new(
                            k.clone(),
                            v.clone(),
                            m.clone(),
                        )
                    })
                    .collect::<Vec<_>>(),
            );
        let ctx = Ctx::background().with_otel_context(&cx);
        assert_eq!(
            ctx.baggage_map().iter().collect::<Vec<_>>(),
            [("even", "2")],
            "W3C has no room"
        );
        let back = ctx.otel_context();
        assert_eq!(back.get::<Theirs>(), Some(&Theirs(1)));
        assert_eq!(back.span().span_context(), &span);
        assert_eq!(back.baggage().len(), 2);
        assert_eq!(back.baggage().get_with_metadata("odd").unwrap().1.as_str(), "m=1");
        // What changed here meanwhile is told.
        let next = ctx.child_span().otel_context();
        assert_eq!(next.span().span_context().trace_id(), span.trace_id());
        assert_ne!(next.span().span_context().span_id(), span.span_id());
        assert_eq!(next.get::<Theirs>(), Some(&Theirs(1)));
    }

    #[test]
    fn what_was_changed_there_is_taken() {
        let ctx = received();
        let cx = ctx.otel_context();
        let mut changed = to_baggage(ctx.baggage_map());
        changed.remove("z");
        changed.insert("new", "1");
        changed.insert("a", "2");
        let changed: Vec<_> = changed
            .iter()
            .map(|(key, (value, metadata))| {
                opentelemetry::baggage::KeyValueMetadata::new(
                    key.clone(),
                    value.clone(),
                    metadata.clone(),
                )
            })
            .collect();
        let ctx = ctx.with_otel_context(&cx.with_baggage(changed));
        let map = ctx.baggage_map();
        assert_eq!(map.iter().collect::<Vec<_>>(), [("user", "7"), ("a", "2"), ("new", "1")]);
        assert!(map.is_private("user"), "the mark stays");
        let cleared = ctx.with_otel_context(&cx.with_cleared_baggage());
        assert!(cleared.baggage_map().is_empty());
    }

    #[test]
    fn a_context_without_span_or_baggage_is_empty() {
        let cx = Ctx::background().otel_context();
        assert!(!cx.span().span_context().is_valid() && cx.baggage().is_empty());
        let ctx = Ctx::background().child_span();
        let same = ctx.with_otel_context(&Context::new().with_baggage([KeyValue::new("a", "1")]));
        assert_eq!(same.span(), ctx.span());
        assert_eq!(same.baggage_map().get("a"), Some("1"));
    }
}
