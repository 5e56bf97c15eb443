//! [`CtxIds`]: the ids of spans, of which ctxprop has given some away already when the SDK asks for them.

use std::cell::Cell;

use opentelemetry::trace as otel;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    /// What the next span of this thread is to have. It is there only while that span is started.
    static NEXT: Cell<Next> = const { Cell::new(Next { trace_id: None, span_id: None }) };
}

#[derive(Clone, Copy)]
struct Next {
    trace_id: Option<otel::TraceId>,
    span_id: Option<otel::SpanId>,
}

/// Has the span that `start` starts get these ids, if the provider has [`CtxIds`].
pub(crate) fn with<R>(
    (trace_id, span_id): (ctxprop::TraceId, ctxprop::SpanId),
    start: impl FnOnce() -> R,
) -> R {
    struct Outer(Next);
    impl Drop for Outer {
        fn drop(&mut self) {
            NEXT.set(self.0);
        }
    }
    let next = Next {
        trace_id: Some(otel::TraceId::from_bytes(trace_id.to_bytes())),
        span_id: Some(otel::SpanId::from_bytes(span_id.to_bytes())),
    };
    let _outer = Outer(NEXT.replace(next));
    start()
}

/// Gives a span of ctxprop's the id that has travelled, and any other one of `G`: for the provider's
/// `with_id_generator`.
///
/// A request's span id is on the wire before its span is started, and a new trace has its id from ctxprop. So the ids that
/// `G` makes of traces are seldom used; X-Ray takes random ones since 2023.
///
/// # Examples
///
/// ```
/// use ctxprop_otel::CtxIds;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder().with_id_generator(CtxIds::new()).build();
/// # drop(provider);
/// ```
#[derive(Debug, Default, Clone)]
pub struct CtxIds<G = RandomIdGenerator> {
    others: G,
}

impl CtxIds {
    /// With random ids for all other spans.
    #[must_use]
    pub fn new() -> Self {
        CtxIds::default()
    }
}

impl<G: IdGenerator> CtxIds<G> {
    /// With the ids of `others` for all other spans.
    pub fn with_others(others: G) -> Self {
        CtxIds { others }
    }
}

impl<G: IdGenerator> IdGenerator for CtxIds<G> {
    fn new_trace_id(&self) -> otel::TraceId {
        let next = NEXT.get();
        NEXT.set(Next { trace_id: None, ..next });
        next.trace_id.unwrap_or_else(|| self.others.new_trace_id())
    }

    fn new_span_id(&self) -> otel::SpanId {
        let next = NEXT.get();
        NEXT.set(Next { span_id: None, ..next });
        next.span_id.unwrap_or_else(|| self.others.new_span_id())
    }
}
