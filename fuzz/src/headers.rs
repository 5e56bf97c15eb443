//! A whole map of headers: what one hop makes of them, and the next hop of what that one sends.

use ctxprop::wire::{Formats, Incoming};
use ctxprop::{Background, Ctx};
use http::{HeaderMap, HeaderValue};

use crate::{baggage, budget, trace};

const NAMES: [&str; 11] = [
    "traceparent",
    "tracestate",
    "x-trace-id",
    "baggage",
    "x-timeout-ms",
    "x-deadline",
    "grpc-timeout",
    "connect-timeout-ms",
    "x-envoy-expected-rq-timeout-ms",
    "x-deadline-exceeded",
    "host",
];

/// A header a line; its first character (`a` for the first name, and so on) says which.
pub fn read(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Some((which, value)) = line.split_first()
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            let which = usize::from(which.wrapping_sub(b'a')) % NAMES.len();
            headers.append(NAMES[which], value);
        }
    }
    headers
}

/// All that holds for each header holds for all of them together, and a hop passes on what it got.
pub fn check(headers: &HeaderMap) {
    trace::check(headers);
    baggage::check(headers);
    budget::check(headers);

    let caller = Incoming::from_headers(headers);
    let (span, budget) = (caller.span.clone(), caller.budget);
    let carried = caller.baggage.clone();
    let (ctx, _canceller) = Ctx::background().with_incoming(caller);
    assert!(span.as_ref().is_none_or(|span| span.trace_id() == ctx.span().trace_id()));
    assert_eq!(ctx.span().parent_id(), span.as_ref().map(|span| span.span_id()));
    // A hop that sends the headers of its caller on replaces what they say.
    let mut next = headers.clone();
    if ctx.child_span().inject(&mut next, &Formats::new()).is_err() {
        assert!(budget.is_some());
        return;
    }
    let heard = Incoming::from_headers(&next);
    let heard_span = heard.span.expect("each hop has a span");
    assert_eq!(heard_span.trace_id(), ctx.span().trace_id());
    assert!(span.is_none_or(|span| span.trace_state() == heard_span.trace_state()));
    assert_eq!(heard.baggage.header_lines(), carried.header_lines());
    // What nobody writes here stays, and can only ask for less.
    assert!(budget.is_none_or(|budget| heard.budget.is_some_and(|heard| heard <= budget)));
    assert_eq!(next.get("x-deadline-exceeded"), headers.get("x-deadline-exceeded"));
    assert_eq!(next.get("host"), headers.get("host"));
}
