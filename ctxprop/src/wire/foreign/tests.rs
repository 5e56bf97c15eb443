//! A foreign format beside those of the table, and the span that is active.

use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::{Format, Found};
use crate::wire::{Formats, Inject, Outgoing};
use crate::{Background, BaggageMap, Ctx, SpanContext, TraceFlags};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PLACE: &str = "1af7651916cd43dd8448eb211c80319c/17ad6b7169203331/user.id=7,tenant=acme";
const LEGACY: &str = "2af7651916cd43dd8448eb211c80319c";

/// `x-place: <trace id>/<span id>/<baggage>`
#[derive(Debug)]
struct Place;

static FIELDS: [HeaderName; 1] = [HeaderName::from_static("x-place")];

impl Format for Place {
    fn fields(&self) -> &[HeaderName] {
        &FIELDS
    }

    fn extract(&self, message: &[(&str, &[u8])]) -> Found {
        let Some((_, line)) = message.iter().find(|(name, _)| *name == "x-place") else {
            return Found::default();
        };
        let parse = || {
            let mut parts = std::str::from_utf8(line).ok()?.splitn(3, '/');
            let (trace, span) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let baggage = vec![("baggage".to_owned(), parts.next()?.to_owned())];
            Some((SpanContext::new(trace, span, TraceFlags::SAMPLED), baggage))
        };
        match parse() {
            Some((span, baggage)) => Found {
                span: Some(span),
                baggage: crate::wire::baggage::extract(&baggage),
                dropped: 0,
            },
            None => Found { dropped: 1, ..Found::default() },
        }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Inject) {
        let place = format!("{}/{}", outgoing.span.trace_id(), outgoing.span.span_id());
        carrier.append(FIELDS[0].clone(), HeaderValue::try_from(place).unwrap());
    }
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|&(name, line)| (HeaderName::from_static(name), HeaderValue::from_static(line)))
        .collect()
}

fn formats() -> Formats {
    Formats::new().with_format(&Place)
}

#[test]
fn w3c_comes_first_then_the_foreign_one_then_an_id_alone() {
    for (lines, trace) in [
        (&[("x-place", PLACE)][..], Some(&PLACE[..32])),
        (&[("x-place", PLACE), ("traceparent", PARENT)], Some(&PARENT[3..35])),
        (&[("x-place", PLACE), ("traceparent", "00-1-1-1")], Some(&PLACE[..32])),
        (&[("x-place", PLACE), ("x-trace-id", LEGACY)], Some(&PLACE[..32])),
        (&[("x-place", "1/2/"), ("x-trace-id", LEGACY)], Some(LEGACY)),
        (&[("x-place", "1/2/")], None),
        (&[], None),
    ] {
        let span = formats().extract(&headers(lines)).span;
        assert_eq!(span.map(|span| span.trace_id().to_string()).as_deref(), trace, "{lines:?}");
    }
    let incoming = formats().extract(&headers(&[("x-place", PLACE)]));
    assert!(incoming.span.unwrap().is_remote());
    assert_eq!(incoming.baggage.len(), 2);
    let both = headers(&[("x-place", PLACE), ("baggage", "tenant=other")]);
    let incoming = formats().extract(&both);
    assert_eq!(incoming.baggage.iter().collect::<Vec<_>>(), [("tenant", "other")]);
}

#[test]
fn what_is_malformed_in_it_is_counted() {
    let incoming = formats().extract(&headers(&[("x-place", "1/2/")]));
    assert!(incoming.span.is_none() && incoming.baggage.is_empty());
    assert_eq!(incoming.dropped(), 1);
}

#[test]
fn what_is_off_or_not_believed_is_not_taken_from_it_either() {
    let came = headers(&[("x-place", PLACE)]);
    let incoming = formats().trace(false).extract_keys(&came, &["tenant"]);
    assert!(incoming.span.is_none());
    assert_eq!(incoming.baggage.iter().collect::<Vec<_>>(), [("tenant", "acme")]);
    let incoming = formats().baggage(false).extract(&came);
    assert!(incoming.span.is_some() && incoming.baggage.is_empty());
    let incoming = formats().trace(false).baggage(false).extract(&came);
    assert!(incoming.span.is_none() && incoming.baggage.is_empty());
}

#[test]
fn what_the_message_said_before_is_replaced_or_removed() {
    let (span, nowhere) = (SpanContext::root(), SpanContext::invalid());
    let baggage = BaggageMap::builder().insert("a", "1").unwrap().build();
    for (span, trace, told) in [(&span, true, true), (&nowhere, true, false), (&span, false, false)]
    {
        let mut out = headers(&[("x-place", PLACE)]);
        let outgoing = Outgoing { span, baggage: None, remaining: None };
        formats().trace(trace).inject(&outgoing, &mut out).unwrap();
        assert_eq!(out.contains_key("x-place"), told);
        assert_ne!(out.get("x-place").map(HeaderValue::as_bytes), Some(PLACE.as_bytes()));
        assert_eq!(out.contains_key("traceparent"), told);
    }
    let mut out = headers(&[("x-place", PLACE)]);
    let outgoing = Outgoing { span: &span, baggage: Some(&baggage), remaining: None };
    formats().trace(false).baggage(false).inject(&outgoing, &mut out).unwrap();
    assert_eq!(out["x-place"], PLACE, "it is somebody else's");
}

#[test]
fn formats_with_the_same_foreign_one_are_equal() {
    assert_eq!(formats(), formats());
    assert_ne!(formats(), Formats::new());
}

#[test]
fn where_no_tracing_system_says_otherwise_the_span_is_the_contexts() {
    let ctx = Ctx::background().child_span();
    assert_eq!(ctx.active_span(), *ctx.span());
    assert!(!Ctx::background().active_span().is_valid());
}
