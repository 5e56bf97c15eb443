//! A whole map of headers: what one hop makes of them, and the next hop of what that one sends.

use ctxprop::wire::{FIELDS, Formats, Incoming};
use ctxprop::{Background, Ctx};
use http::{HeaderMap, HeaderValue};

use crate::{baggage, budget, trace};

/// Beside those that are read, what a hop must leave alone.
const OTHERS: [&str; 2] = ["x-deadline-exceeded", "host"];

/// A header a line; its first character (`a` for the first of `FIELDS`, and so on) says which.
pub fn read(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Some((which, value)) = line.split_first()
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            let which = usize::from(which.wrapping_sub(b'a')) % (FIELDS.len() + OTHERS.len());
            let name = FIELDS.into_iter().chain(OTHERS).nth(which).unwrap_or("host");
            headers.append(name, value);
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
    // Who has no budget grants none, whatever the headers said that are not written here.
    assert_eq!(heard.budget.is_some(), budget.is_some());
    assert!(heard.budget <= budget);
    assert_eq!(next.get("x-deadline-exceeded"), headers.get("x-deadline-exceeded"));
    assert_eq!(next.get("host"), headers.get("host"));
}
