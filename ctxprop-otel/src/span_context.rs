//! Where in the trace we stand, from one type to the other.

use ctxprop::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry::trace as otel;

use crate::faults;

/// OpenTelemetry's form of `span`.
///
/// Its `tracestate` has the older grammar for keys: a member that this refuses, such as `a@b@c=1`, is left out and
/// [counted](crate::faults).
///
/// # Examples
///
/// ```
/// use ctxprop::SpanContext;
///
/// let span = SpanContext::root();
/// let otel = ctxprop_otel::to_span_context(&span);
/// assert_eq!(otel.span_id().to_string(), span.span_id().to_string());
/// assert_eq!(ctxprop_otel::from_span_context(&otel), span);
/// ```
#[must_use]
pub fn to_span_context(span: &SpanContext) -> otel::SpanContext {
    otel::SpanContext::new(
        otel::TraceId::from_bytes(span.trace_id().to_bytes()),
        otel::SpanId::from_bytes(span.span_id().to_bytes()),
        otel::TraceFlags::new(span.flags().bits()),
        span.is_remote(),
        to_trace_state(span.trace_state()),
    )
}

/// ctxprop's form of `span`. A `tracestate` that is not valid is left out whole and [counted](crate::faults).
#[must_use]
pub fn from_span_context(span: &otel::SpanContext) -> SpanContext {
    let flags = TraceFlags::from_bits(span.trace_flags().to_u8());
    SpanContext::new(trace_id(span), span_id(span), flags)
        .with_trace_state(from_trace_state(span.trace_state()))
        .with_remote(span.is_remote())
}

pub(crate) fn trace_id(span: &otel::SpanContext) -> TraceId {
    TraceId::from_bytes(span.trace_id().to_bytes())
}

pub(crate) fn span_id(span: &otel::SpanContext) -> SpanId {
    SpanId::from_bytes(span.span_id().to_bytes())
}

fn to_trace_state(state: &TraceState) -> otel::TraceState {
    if state.is_empty() {
        return otel::TraceState::NONE;
    }
    if let Ok(all) = otel::TraceState::from_key_value(state.iter()) {
        return all;
    }
    let accepted = |(key, value): &(&str, &str)| {
        let accepted = otel::TraceState::from_key_value([(*key, *value)]).is_ok();
        if !accepted {
            faults::left_out("a member of tracestate", 1);
        }
        accepted
    };
    otel::TraceState::from_key_value(state.iter().filter(accepted)).unwrap_or_default()
}

fn from_trace_state(state: &otel::TraceState) -> TraceState {
    let line = state.header();
    if line.is_empty() {
        return TraceState::empty();
    }
    line.parse().unwrap_or_else(|_| {
        faults::left_out("tracestate", 1);
        TraceState::empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_either_way() {
        let state: TraceState = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".parse().unwrap();
        for span in [
            SpanContext::root().with_trace_state(state.clone()),
            SpanContext::root().with_trace_state(state).with_remote(true),
            SpanContext::root(),
            SpanContext::invalid(),
            SpanContext::new(
                "0af7651916cd43dd8448eb211c80319c".parse().unwrap(),
                "b7ad6b7169203331".parse().unwrap(),
                TraceFlags::from_bits(0xff),
            ),
        ] {
            assert_eq!(from_span_context(&to_span_context(&span)), span);
        }
    }

    #[test]
    fn a_member_that_opentelemetry_refuses_does_not_cost_the_others() {
        let before = faults::faults().left_out;
        let state: TraceState = "foo@@bar=1,rojo=2,1a-2f@foo@x=3".parse().unwrap();
        let span = SpanContext::root().with_trace_state(state);
        let otel = to_span_context(&span);
        assert_eq!(otel.trace_state().header(), "rojo=2");
        assert!(faults::faults().left_out >= before + 2);
    }
}
