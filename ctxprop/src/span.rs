//! Where in the trace we stand: ids, flags and `tracestate`, as values.
//!
//! Nothing here knows of headers' names or of reading them; that is `wire::trace_context`. Nothing
//! here records or exports spans either: this is the part of a trace that crosses hops.

mod ids;
mod trace_state;

use std::fmt;

pub use ids::{ParseIdError, SpanId, TraceFlags, TraceId};
pub(crate) use ids::{decode_hex, encode_hex};
pub use trace_state::{
    MAX_TRACE_STATE_BYTES, MAX_TRACE_STATE_MEMBERS, TraceState, TraceStateError,
};

/// One span's place in a trace: what `traceparent` and `tracestate` carry.
///
/// Cloning copies 34 bytes and bumps the reference count of the `tracestate`, if there is one.
/// `Debug` prints ids and flags, never what the `tracestate` says.
///
/// See [W3C Trace Context Level 2](https://www.w3.org/TR/trace-context-2/), section 3.
///
/// # Examples
///
/// ```
/// use ctxprop::SpanContext;
///
/// let root = SpanContext::root();
/// assert!(root.is_valid() && root.is_sampled() && root.flags().is_random());
///
/// let child = root.child();
/// assert_eq!(child.trace_id(), root.trace_id());
/// assert_ne!(child.span_id(), root.span_id());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SpanContext {
    trace_id: TraceId,
    span_id: SpanId,
    /// The span this one was made below, `INVALID` where that is not known. Never sent.
    parent_id: SpanId,
    flags: TraceFlags,
    is_remote: bool,
    trace_state: TraceState,
}

impl SpanContext {
    /// A context that belongs to no trace: all ids zero, no flags, no state.
    ///
    /// ```
    /// # use ctxprop::SpanContext;
    /// static NONE: SpanContext = SpanContext::invalid();
    /// assert!(!NONE.is_valid());
    /// ```
    #[must_use]
    pub const fn invalid() -> Self {
        Self::new(TraceId::INVALID, SpanId::INVALID, TraceFlags::NONE)
    }

    /// A local span of the given trace, without `tracestate`.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self {
            trace_id,
            span_id,
            parent_id: SpanId::INVALID,
            flags,
            is_remote: false,
            trace_state: TraceState::empty(),
        }
    }

    /// A span that another process told us of.
    #[inline]
    pub(crate) const fn remote(
        trace_id: TraceId,
        span_id: SpanId,
        flags: TraceFlags,
        trace_state: TraceState,
    ) -> Self {
        Self { trace_id, span_id, parent_id: SpanId::INVALID, flags, is_remote: true, trace_state }
    }

    /// The first span of a new trace, sampled, with random ids and the flag that says so.
    ///
    /// See Trace Context Level 2, section "Random Trace ID Flag".
    #[must_use]
    pub fn root() -> Self {
        let flags = TraceFlags::SAMPLED | TraceFlags::RANDOM;
        Self::new(TraceId::random(), SpanId::random(), flags)
    }

    /// A new span below this one: same trace, flags and state, fresh span id, not remote.
    ///
    /// A context that is not valid has nothing to continue, so its child is a [`root`](Self::root).
    #[must_use]
    pub fn child(&self) -> Self {
        self.clone().into_child()
    }

    /// The same, in its place.
    #[inline]
    pub(crate) fn into_child(self) -> Self {
        if !self.is_valid() {
            return Self::root();
        }
        Self { span_id: SpanId::random(), parent_id: self.span_id, is_remote: false, ..self }
    }

    /// The same span with another `tracestate`.
    #[must_use]
    pub fn with_trace_state(mut self, trace_state: TraceState) -> Self {
        self.trace_state = trace_state;
        self
    }

    /// The same span, marked as one that another process told us of.
    #[must_use]
    pub fn with_remote(mut self, is_remote: bool) -> Self {
        self.is_remote = is_remote;
        self
    }

    /// The id of the whole trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The id of this span; on the wire, the receiver's parent id.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The id of the span that this one is a [`child`](Self::child) of, in whichever process.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        Some(self.parent_id).filter(|parent| parent.is_valid())
    }

    /// The flags as they came or were set, bits unknown to this version included.
    #[must_use]
    pub const fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// What tracing systems say of their own place in the trace.
    #[must_use]
    pub const fn trace_state(&self) -> &TraceState {
        &self.trace_state
    }

    /// Whether both ids are: an id of zeros only is none.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.trace_id.is_valid() && self.span_id.is_valid()
    }

    /// Whether the span lives in the process that called us.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// Whether the caller may have recorded this trace.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }
}

impl Default for SpanContext {
    /// [`SpanContext::invalid`].
    fn default() -> Self {
        Self::invalid()
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanContext")
            .field("trace_id", &self.trace_id)
            .field("span_id", &self.span_id)
            .field("flags", &self.flags)
            .field("is_remote", &self.is_remote)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
