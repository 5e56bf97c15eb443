//! Propagators of others as formats: what they read and write, and what they do wrong.

#![allow(deprecated, reason = "opentelemetry-zipkin is, and has the only B3 there is")]

use ctxprop::wire::Formats;
use ctxprop::{Background, BaggageMap, Ctx};
use http::HeaderMap;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry_aws::trace::XrayPropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_zipkin::{B3Encoding, Propagator as B3};

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn formats<P: TextMapPropagator + Send + Sync + 'static>(propagator: P) -> Formats {
    Formats::new().with_format(Box::leak(Box::new(PropagatorFormat::new(propagator))))
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        headers.append(*name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

fn sent(formats: &Formats, ctx: &Ctx) -> HeaderMap {
    let mut headers = HeaderMap::new();
    ctx.inject(&mut headers, formats).unwrap();
    headers
}

fn round_trip(formats: &Formats, field: &str) {
    for sampled in [true, false] {
        let root = SpanContext::root();
        let flags = TraceFlags::from_bits(0b10 | u8::from(sampled));
        let span = SpanContext::new(root.trace_id(), root.span_id(), flags);
        let mut headers = sent(formats, &Ctx::background().with_span(span.clone()));
        assert!(headers.contains_key("traceparent"), "W3C's goes out all the same");
        assert!(headers.contains_key(field), "{headers:?}");
        headers.remove("traceparent");
        let incoming = formats.extract(&headers);
        let came = incoming.span.as_ref().unwrap();
        assert_eq!((came.trace_id(), came.span_id()), (span.trace_id(), span.span_id()));
        assert_eq!((came.is_sampled(), came.is_remote()), (sampled, true), "{headers:?}");
        assert_eq!(incoming.dropped(), 0);
    }
}

#[test]
fn b3_in_both_encodings_and_x_ray() {
    round_trip(&formats(B3::new()), "x-b3-traceid");
    round_trip(&formats(B3::with_encoding(B3Encoding::SingleHeader)), "b3");
    round_trip(&formats(XrayPropagator::default()), "x-amzn-trace-id");
}

#[test]
fn what_they_leave_open_is_sampled() {
    let formats = formats(B3::with_encoding(B3Encoding::SingleHeader));
    for (state, sampled) in [("", true), ("-1", true), ("-d", true), ("-0", false)] {
        let line = format!("{TRACE}-{SPAN}{state}");
        let span = formats.extract(&headers(&[("b3", &line)])).span.unwrap();
        assert_eq!(span.is_sampled(), sampled, "{line}");
        assert_eq!(span.flags().bits() & !1, 0);
    }
}

#[test]
fn what_is_malformed_or_came_twice_is_dropped_and_counted() {
    let formats = formats(B3::with_encoding(B3Encoding::SingleHeader));
    let good = format!("{TRACE}-{SPAN}-1");
    for lines in [
        &[("b3", "abc")][..],
        &[("b3", "")],
        &[("b3", good.as_str()), ("b3", good.as_str())],
        &[("b3", "\u{0}\u{1}")],
        &[("x-b3-traceid", TRACE)],
    ] {
        let mut came = HeaderMap::new();
        for (name, line) in lines {
            if let Ok(line) = HeaderValue::from_bytes(line.as_bytes()) {
                came.append(*name, line);
            }
        }
        let incoming = formats.extract(&came);
        assert!(incoming.span.is_none(), "{came:?}");
        assert_eq!(incoming.dropped(), usize::from(!came.is_empty()), "{came:?}");
    }
    let mut came = HeaderMap::new();
    came.insert("b3", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    assert!(formats.extract(&came).span.is_none());
    assert_eq!(formats.extract(&HeaderMap::new()).dropped(), 0);
}

#[test]
fn a_forwarded_message_tells_one_trace_in_whatever_encoding_it_came() {
    let formats = formats(B3::new());
    let line = format!("{TRACE}-{SPAN}-1");
    let mut forwarded = headers(&[("b3", &line), ("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)]);
    let ctx = Ctx::background().child_span();
    ctx.inject(&mut forwarded, &formats).unwrap();
    assert!(!forwarded.contains_key("b3"));
    assert_eq!(forwarded["x-b3-traceid"], ctx.span().trace_id().to_string());
}

#[test]
fn w3cs_headers_are_ours_in_a_composite_too() {
    let before = faults::faults().headers_refused;
    let composite = TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
        Box::new(B3::new()),
    ]);
    let formats = formats(composite);
    // OpenTelemetry's reader would take this one.
    let bad = headers(&[("traceparent", "00-1-1-01"), ("baggage", "a=1;p=%2Cadmin=true")]);
    let incoming = formats.extract(&bad);
    assert!(incoming.span.is_none());
    assert_eq!(incoming.baggage.iter().collect::<Vec<_>>(), [("a", "1")]);
    let map = BaggageMap::builder().insert("a", "1").unwrap().build();
    let (span, mut out) = (SpanContext::root(), HeaderMap::new());
    let outgoing = Outgoing { span: &span, baggage: Some(&map), remaining: None };
    formats.inject(&outgoing, &mut out).unwrap();
    assert_eq!(out.get_all("traceparent").iter().count(), 1);
    assert_eq!(out.get_all("baggage").iter().collect::<Vec<_>>(), ["a=1"]);
    assert!(out.contains_key("x-b3-traceid"));
    assert!(faults::faults().headers_refused >= before + 2);
}

/// Carries all baggage in `x-theirs-<key>`, as Jaeger does with `uberctx-<key>`.
#[derive(Debug)]
struct Theirs;

impl TextMapPropagator for Theirs {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        for (key, (value, _)) in cx.baggage() {
            injector.set(&format!("x-theirs-{key}"), value.to_string());
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let keys = extractor.keys();
        let found = keys.iter().filter_map(|key| {
            let value = extractor.get(key)?.to_owned();
            Some(opentelemetry::KeyValue::new(key.strip_prefix("x-theirs-")?.to_owned(), value))
        });
        cx.with_baggage(found.collect::<Vec<_>>())
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&[])
    }
}

#[test]
fn baggage_of_theirs_is_taken_where_w3c_has_none_and_only_what_is_believed() {
    let formats = formats(Theirs);
    let came = headers(&[("x-theirs-user", "7"), ("x-theirs-role", "admin")]);
    let incoming = formats.extract(&came);
    assert_eq!(incoming.baggage.iter().collect::<Vec<_>>(), [("role", "admin"), ("user", "7")]);
    let incoming = formats.extract_keys(&came, &["user"]);
    assert_eq!(incoming.baggage.iter().collect::<Vec<_>>(), [("user", "7")]);
    let map = BaggageMap::builder().insert("user", "8").unwrap().build();
    let (nowhere, mut out) = (SpanContext::invalid(), HeaderMap::new());
    let told = Outgoing { span: &nowhere, baggage: Some(&map), remaining: None };
    formats.inject(&told, &mut out).unwrap();
    assert_eq!(
        (&out["x-theirs-user"], &out["baggage"]),
        (&HeaderValue::from_static("8"), &HeaderValue::from_static("user=8"))
    );
    let mut out = HeaderMap::new();
    formats.inject(&Outgoing { baggage: None, ..told }, &mut out).unwrap();
    assert!(out.is_empty(), "who must not see the baggage does not see it here either");
}

/// Panics where it is told to, after it has done half of it.
#[derive(Debug)]
struct Panics;

impl TextMapPropagator for Panics {
    fn inject_context(&self, _: &Context, injector: &mut dyn Injector) {
        injector.set("x-half", "1".to_owned());
        panic!("while writing");
    }

    fn extract_with_context(&self, _: &Context, extractor: &dyn Extractor) -> Context {
        match extractor.get("x-half") {
            Some(_) => panic!("while reading"),
            None => Context::new(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        panic!("while being asked")
    }
}

#[test]
fn a_propagator_that_panics_hurts_no_message_and_is_counted() {
    let before = faults::faults().propagator_panics;
    let formats = formats(Panics);
    let came = headers(&[("x-half", "1"), ("traceparent", &format!("00-{TRACE}-{SPAN}-01"))]);
    let incoming = formats.extract(&came);
    assert_eq!(incoming.span.unwrap().trace_id().to_string(), TRACE);
    let headers = sent(&formats, &Ctx::background().child_span());
    assert!(headers.contains_key("traceparent") && !headers.contains_key("x-half"));
    assert!(faults::faults().propagator_panics >= before + 3);
}

/// Writes what is no header.
#[derive(Debug)]
struct Writes(&'static str, &'static str);

impl TextMapPropagator for Writes {
    fn inject_context(&self, _: &Context, injector: &mut dyn Injector) {
        injector.set(self.0, self.1.to_owned());
    }

    fn extract_with_context(&self, cx: &Context, _: &dyn Extractor) -> Context {
        cx.clone()
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&[])
    }
}

#[test]
fn what_is_no_header_is_not_written() {
    for (name, value) in
        [("two words", "1"), ("", "1"), ("x-split", "1\r\nevil: 1"), ("x-nul", "\0")]
    {
        let headers = sent(&formats(Writes(name, value)), &Ctx::background().child_span());
        assert_eq!(headers.len(), 1, "{headers:?}");
    }
    let headers = sent(&formats(Writes("X-Upper", "1")), &Ctx::background().child_span());
    assert_eq!(headers["x-upper"], "1");
}
