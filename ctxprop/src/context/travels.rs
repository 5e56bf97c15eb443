//! What of a context travels to the next process: its span and its baggage. Typed baggage is in `ctx.rs`.

use super::ctx::Ctx;
use super::header::Additions;
use crate::baggage::BaggageMap;
use crate::span::SpanContext;

impl Ctx {
    /// A child in the span `span`: one that a tracing system made, or that came from elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx, SpanContext};
    ///
    /// let span = SpanContext::root();
    /// let ctx = Ctx::background().with_span(span.clone());
    /// assert_eq!(ctx.span(), &span);
    /// ```
    #[must_use = "contexts are immutable: the span is the new one's"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_span(&self, span: SpanContext) -> Ctx {
        self.child(Additions::default(), span)
    }

    /// The span this context is in; an invalid one where no trace has begun.
    pub fn span(&self) -> &SpanContext {
        static NONE: SpanContext = SpanContext::invalid();
        self.node().links.span().unwrap_or(&NONE)
    }

    /// A child in a new span of the same trace. Without a trace a new one begins, sampled and with the random
    /// flag (Trace Context Level 2).
    ///
    /// It is an id and records nothing. `#[propagate(span)]` makes a `tracing` span with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let request = Ctx::background().child_span();
    /// let query = request.child_span();
    /// assert_eq!(query.span().trace_id(), request.span().trace_id());
    /// assert_eq!(query.span().parent_id(), Some(request.span().span_id()));
    /// ```
    #[must_use = "contexts are immutable: the span is the new one's"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn child_span(&self) -> Ctx {
        self.with_span(self.span().child())
    }

    /// All baggage, untyped; empty where there is none.
    pub fn baggage_map(&self) -> &BaggageMap {
        static NONE: BaggageMap = BaggageMap::empty();
        self.node().links.baggage().unwrap_or(&NONE)
    }
}
