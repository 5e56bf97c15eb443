//! `traceparent`, `tracestate` and `x-trace-id`.

use ctxprop::wire::{Formats, Incoming, Outgoing};
use ctxprop::{MAX_TRACE_STATE_BYTES, MAX_TRACE_STATE_MEMBERS, SpanContext};
use http::HeaderMap;

use crate::assert_can_be_sent;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What a hop that stands at `span` sends.
fn sent(span: &SpanContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let outgoing = Outgoing { span, baggage: None, remaining: None };
    Formats::new().send_trace_id(true).inject(&outgoing, &mut headers).expect("no budget");
    headers
}

/// What is said of a place in a trace is heard as it was said; nothing is said of what is none.
pub fn check(headers: &HeaderMap) {
    let Some(span) = Incoming::from_headers(headers).span else {
        assert!(sent(&SpanContext::invalid()).is_empty());
        return;
    };
    assert!(span.is_valid() && span.is_remote());
    let sent = sent(&span);
    assert_can_be_sent(&sent["traceparent"], 55);
    assert_eq!(sent["traceparent"].len(), 55);
    assert_eq!(sent["x-trace-id"], *span.trace_id().to_string());
    let heard = Incoming::from_headers(&sent);
    assert_eq!(heard.dropped(), 0, "{sent:?}");
    let heard = heard.span.expect("we sent one");
    assert_eq!((heard.trace_id(), heard.span_id()), (span.trace_id(), span.span_id()));
    // Of a version that we do not know only these two flags mean what they meant.
    assert_eq!(heard.flags().bits(), span.flags().bits() & 3);

    let (list, again) = (span.trace_state(), heard.trace_state());
    assert_eq!(list, again, "{sent:?}");
    assert!(list.iter().count() <= MAX_TRACE_STATE_MEMBERS);
    assert_eq!(list.is_empty(), !sent.contains_key("tracestate"));
    if let Some(line) = sent.get("tracestate") {
        assert_can_be_sent(line, MAX_TRACE_STATE_BYTES);
        assert_eq!(line.to_str().expect("ASCII").parse().as_ref(), Ok(list));
    }
    // A tracing system puts itself in front, and changes nobody else's place.
    let with_us = list.with("ctxprop", "1").expect("a valid member");
    assert_eq!(with_us.iter().next(), Some(("ctxprop", "1")));
    let others: Vec<_> = list.iter().filter(|(key, _)| *key != "ctxprop").collect();
    let mut rest = others.iter();
    assert!(with_us.iter().skip(1).all(|member| rest.any(|other| *other == member)));
}

/// A line of version 00 is re-sent as it came, but for flags that nobody knows.
pub fn check_parent(headers: &HeaderMap) {
    check(headers);
    let Some(span) = Incoming::from_headers(headers).span else { return };
    let line = headers["traceparent"].as_bytes().trim_ascii();
    assert_eq!(headers.get_all("traceparent").iter().count(), 1);
    assert_ne!(&line[..2], b"ff");
    assert_eq!(&line[2..53], &sent(&span)["traceparent"].as_bytes()[2..53]);
    assert!(line.len() == 55 || (&line[..2] != b"00" && line[55] == b'-'));
}

/// A list that is not valid costs its own place only: the trace goes on.
pub fn check_state(headers: &mut HeaderMap) {
    headers.insert("traceparent", PARENT.parse().expect("a header"));
    check(headers);
    let span = Incoming::from_headers(headers).span.expect("the parent is valid");
    assert_eq!(sent(&span)["traceparent"], PARENT);
}
