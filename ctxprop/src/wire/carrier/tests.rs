//! One context through each kind of carrier, and what they do with names and lines.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::baggage::BaggageMap;
use crate::span::SpanContext;
use crate::wire::{FIELDS, Formats, Incoming, Outgoing};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

/// All but the budget, which has its own clock.
fn told(incoming: &Incoming) -> (Option<SpanContext>, Vec<(String, String)>) {
    let entries = incoming.baggage.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    (incoming.span.clone(), entries.collect())
}

fn stale() -> Vec<(String, String)> {
    let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        line("other", "1"),
        line("TraceParent", PARENT),
        line("tracestate", "a=1"),
        line("TRACESTATE", "b=2"),
        line("Baggage", "stale=1"),
        line("baggage", "stale=2"),
        line("X-Deadline", "2000-01-01T00:00:00Z"),
        line("x-timeout-ms", "1"),
    ]
}

#[test]
fn names_are_found_in_any_case() {
    let span = Incoming::from_headers(&stale()).span.unwrap();
    assert_eq!(span.trace_state().header().unwrap(), "a=1,b=2");
    let map: HashMap<_, _> = [("TRACEPARENT".to_owned(), PARENT.to_owned())].into();
    assert!(Incoming::from_headers(&map).span.is_some());
    // "traceparent" and "Traceparent" are two lines, and there is no telling which is right
    let doubled = vec![stale()[1].clone(), ("traceparent".to_owned(), PARENT.to_owned())];
    assert!(Incoming::from_headers(&doubled).span.is_none());
}

#[test]
fn text_that_no_header_could_hold_is_malformed_and_takes_nothing_with_it() {
    let lines = vec![
        ("baggage".to_owned(), "a=1,b=2\r\nx: y,c=\u{e9},d=4\0,e=5".to_owned()),
        ("traceparent".to_owned(), format!("{PARENT}\r\n")),
    ];
    let incoming = Incoming::from_headers(&lines);
    assert_eq!(told(&incoming).1, [("a".into(), "1".into()), ("e".into(), "5".into())]);
    assert_eq!((incoming.span, incoming.dropped), (None, 4));
}

#[test]
fn every_carrier_tells_the_same_and_nothing_stale_is_left() {
    let mut builder = BaggageMap::builder();
    for number in 0..60 {
        // more than fits into one line
        builder.insert(&format!("key{number:02}"), &"x".repeat(129)).unwrap();
    }
    let baggage = builder.build();
    assert_eq!(baggage.header_lines().len(), 2);
    let span = SpanContext::root().with_trace_state("rojo=1,congo= 2".parse().unwrap());
    let remaining = Some(Duration::from_secs(9));
    let outgoing = Outgoing { span: &span, baggage: Some(&baggage), remaining };

    let mut list = stale();
    let mut map: HashMap<_, _> = stale().into_iter().collect();
    let mut headers = HeaderMap::new();
    for (name, value) in stale() {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::try_from(value).unwrap());
    }
    for formats in [Formats::new(), Formats::queued()] {
        formats.inject(&outgoing, &mut list).unwrap();
        formats.inject(&outgoing, &mut map).unwrap();
        formats.inject(&outgoing, &mut headers).unwrap();
        let expected = (Some(span.clone().with_remote(true)), told_of(&baggage));
        for incoming in [formats.extract(&list), formats.extract(&map), formats.extract(&headers)] {
            assert_eq!(told(&incoming), expected);
            assert_eq!(incoming.dropped, 0);
            assert!(incoming.budget <= remaining && incoming.budget > Some(Duration::from_secs(5)));
        }
        let lines = if formats == Formats::new() { 7 } else { 6 };
        assert_eq!((list.len(), map.len(), headers.len()), (lines, lines - 1, lines));
    }
    let nothing = Outgoing { span: &SpanContext::invalid(), baggage: None, remaining: None };
    nothing.write(&mut list).unwrap();
    nothing.write(&mut map).unwrap();
    nothing.write(&mut headers).unwrap();
    assert_eq!((list.len(), map.len(), headers.len()), (1, 1, 1));
}

fn told_of(baggage: &BaggageMap) -> Vec<(String, String)> {
    baggage.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn what_waits_in_a_queue_has_a_moment_and_no_number() {
    let span = SpanContext::root();
    let outgoing = Outgoing { span: &span, baggage: None, remaining: Some(Duration::from_secs(9)) };
    let mut message = Vec::new();
    Formats::queued().inject(&outgoing, &mut message).unwrap();
    let names: Vec<_> = message.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-deadline", "traceparent"]);

    // a number that somebody else wrote would grant the time in the queue again
    message.push(("x-timeout-ms".to_owned(), "99999".to_owned()));
    let budget = Formats::queued().extract(&message).budget;
    assert!(budget <= outgoing.remaining);
    let old = vec![("x-deadline".to_owned(), "2000-01-01T00:00:00Z".to_owned())];
    assert_eq!(Formats::queued().extract(&old).budget, Some(Duration::ZERO));
    assert_eq!(Formats::new().extract(&old).budget, None);
}

proptest! {
    #[test]
    fn no_lines_make_it_panic(
        lines in prop::collection::vec((0..FIELDS.len(), ".{0,80}"), 0..12),
    ) {
        let lines: Vec<_> =
            lines.into_iter().map(|(field, line)| (FIELDS[field].to_owned(), line)).collect();
        let map: HashMap<_, _> = lines.iter().cloned().collect();
        for incoming in [
            Incoming::from_headers(&lines),
            Incoming::from_headers(&map),
            Formats::queued().extract(&lines),
        ] {
            // what we send is what we would take
            let span = incoming.span.clone().unwrap_or_default();
            let baggage = Some(&incoming.baggage);
            let outgoing = Outgoing { span: &span, baggage, remaining: None };
            let mut out = HashMap::new();
            outgoing.write(&mut out).unwrap();
            prop_assert_eq!(told(&Incoming::from_headers(&out)), told(&incoming));
        }
    }
}
