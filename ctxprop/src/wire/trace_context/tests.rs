//! What of `traceparent`, `tracestate` and `x-trace-id` is believed, and what is sent.
//!
//! The rows of `traceparent` are those of W3C's own suite (w3c/trace-context, `test/test.py`) and
//! more; section names are those of Trace Context Level 2.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;

fn write(span: &SpanContext, with_id: bool, carrier: &mut impl Inject) {
    let mut values = HeaderValues::new();
    let parent = compose(span, &mut values);
    append(parent, values.share(false), span, with_id, carrier);
}

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        headers.append(*name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

fn sent(span: &SpanContext) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    write(span, false, &mut headers);
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[test]
fn what_is_a_valid_traceparent() {
    let future = "-what-the-future-will-be-like";
    for (section, line, valid) in [
        ("version-format", PARENT.to_owned(), true),
        ("OWS", format!(" \t{PARENT} \t"), true),
        ("version 00 has 55 characters", format!("{PARENT}."), false),
        ("version 00 has 55 characters", format!("{PARENT}-"), false),
        ("version 00 has 55 characters", format!("{PARENT}{future}"), false),
        ("version 00 has 55 characters", PARENT[..54].to_owned(), false),
        ("version 00 has 55 characters", format!("{PARENT}1"), false),
        ("Versioning: later versions", format!("cc{}", &PARENT[2..]), true),
        ("Versioning: later versions", format!("01{}{future}", &PARENT[2..]), true),
        ("Versioning: later versions", format!("fe{}-", &PARENT[2..]), true),
        ("Versioning: followed by a dash", format!("cc{}.{}", &PARENT[2..], &future[1..]), false),
        ("Versioning: followed by a dash", format!("cc{}1", &PARENT[2..]), false),
        ("Versioning: at least 55 characters", format!("cc{}", &PARENT[2..54]), false),
        ("version: ff is forbidden", format!("ff{}", &PARENT[2..]), false),
        ("version: ff is forbidden", format!("ff{}{future}", &PARENT[2..]), false),
        ("version: 2HEXDIGLC", format!("CC{}", &PARENT[2..]), false),
        ("version: 2HEXDIGLC", format!(".0{}", &PARENT[2..]), false),
        ("version: 2HEXDIGLC", format!("0.{}", &PARENT[2..]), false),
        ("version: 2HEXDIGLC", format!("+0{}", &PARENT[2..]), false),
        ("version: 2HEXDIGLC", format!("000{}", &PARENT[2..]), false),
        ("version: 2HEXDIGLC", format!("0000{}", &PARENT[2..]), false),
        ("version: 2HEXDIGLC", format!("0{}", &PARENT[2..]), false),
        ("trace-id: not all zero", format!("00-{}-1234567890123456-01", "0".repeat(32)), false),
        ("trace-id: 32HEXDIGLC", format!("00-.{}-1234567890123456-01", &TRACE[1..]), false),
        ("trace-id: 32HEXDIGLC", format!("00-{}.-1234567890123456-01", &TRACE[1..]), false),
        ("trace-id: 32HEXDIGLC", format!("00-{}A-1234567890123456-01", &TRACE[1..]), false),
        ("trace-id: 32HEXDIGLC", format!("00-{TRACE}3-1234567890123456-01"), false),
        ("trace-id: 32HEXDIGLC", format!("00-{}-1234567890123456-01", &TRACE[1..]), false),
        ("trace-id: 32HEXDIGLC", format!("00-{TRACE}3-123456789012345-01"), false),
        ("parent-id: not all zero", format!("00-{TRACE}-0000000000000000-01"), false),
        ("parent-id: 16HEXDIGLC", format!("00-{TRACE}-.234567890123456-01"), false),
        ("parent-id: 16HEXDIGLC", format!("00-{TRACE}-123456789012345.-01"), false),
        ("parent-id: 16HEXDIGLC", format!("00-{TRACE}-12345678901234567-01"), false),
        ("parent-id: 16HEXDIGLC", format!("00-{TRACE}-123456789012345-01"), false),
        ("trace-flags: 2HEXDIGLC", format!("00-{TRACE}-1234567890123456-.0"), false),
        ("trace-flags: 2HEXDIGLC", format!("00-{TRACE}-1234567890123456-0."), false),
        ("trace-flags: 2HEXDIGLC", format!("00-{TRACE}-1234567890123456-0A"), false),
        ("trace-flags: 2HEXDIGLC", format!("00-{TRACE}-1234567890123456-001"), false),
        ("trace-flags: 2HEXDIGLC", format!("00-{TRACE}-1234567890123456-1"), false),
        ("delimiter: a dash", PARENT.replace('-', "_"), false),
        ("fields are of fixed length", "00-1-1-01".to_owned(), false),
        ("US-ASCII", format!("{}é", &PARENT[..53]), false),
        ("", String::new(), false),
    ] {
        let mut dropped = Dropped::default();
        let span = read(&Fields::of(&headers(&[("traceparent", &line)])), &mut dropped);
        assert_eq!(span.is_some(), valid, "{section}: {line:?}");
        assert_eq!(dropped.0, usize::from(!valid), "{section}: {line:?}");
        if let Some(span) = span {
            assert_eq!(span.trace_id().to_string(), TRACE);
            assert!(span.is_remote() && span.is_sampled());
            // "MUST use these fields to construct the new traceparent field according to" ours
            assert_eq!(sent(&span), [("traceparent".to_owned(), PARENT.to_owned())]);
        }
    }
}

#[test]
fn the_name_is_found_in_any_case_and_only_that_name() {
    for (name, found) in [("TraceParent", true), ("TRACEPARENT", true), ("trace-parent", false)] {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.insert(name, HeaderValue::from_static(PARENT));
        assert_eq!(extract(&headers).is_some(), found);
    }
}

#[test]
fn two_lines_are_none() {
    for other in [PARENT, &PARENT.replace("12-12", "11-12"), ""] {
        let mut dropped = Dropped::default();
        let headers =
            headers(&[("traceparent", PARENT), ("traceparent", other), ("tracestate", "a=1")]);
        assert_eq!(read(&Fields::of(&headers), &mut dropped), None);
        assert_eq!(dropped.0, 1);
    }
}

#[test]
fn flags_keep_what_is_known() {
    // "Sampled Flag", "Random Trace ID Flag"; "Other Flags": "MUST set those to zero"
    for (received, sampled, random, sent_flags) in [
        ("00", false, false, "00"),
        ("01", true, false, "01"),
        ("02", false, true, "02"),
        ("03", true, true, "03"),
        ("ff", true, true, "03"),
        ("fc", false, false, "00"),
        ("09", true, false, "01"),
    ] {
        let line = format!("{}{received}", &PARENT[..53]);
        let span = extract(&headers(&[("traceparent", &line)])).unwrap();
        assert_eq!((span.is_sampled(), span.flags().is_random()), (sampled, random), "{received}");
        assert_eq!(&sent(&span.child())[0].1[53..], sent_flags, "{received}");
    }
}

#[test]
fn tracestate_needs_a_traceparent_and_never_hurts_it() {
    let state = |lines: &[(&'static str, &str)]| {
        let mut dropped = Dropped::default();
        let span = read(&Fields::of(&headers(lines)), &mut dropped);
        (span.map(|span| sent(&span).into_iter().nth(1).map(|(_, line)| line)), dropped.0)
    };
    let parent = ("traceparent", PARENT);
    let hundred: String = (0..100).map(|number| format!("k{number}=1,")).collect();
    for (section, lines, expected) in [
        ("Tracestate Header", &[("tracestate", "a=1")][..], (None, 0)),
        ("Tracestate Header", &[("traceparent", "00-1-1-01"), ("tracestate", "a=1")], (None, 1)),
        ("Tracestate Header", &[parent, ("tracestate", "a=1,b=2")], (Some(Some("a=1,b=2")), 0)),
        ("names", &[parent, ("trace-state", "a=1")], (Some(None), 0)),
        ("empty", &[parent, ("tracestate", "")], (Some(None), 0)),
        ("empty", &[parent, ("tracestate", ""), ("tracestate", "a=1")], (Some(Some("a=1")), 0)),
        (
            "combined",
            &[("tracestate", "a=1"), parent, ("tracestate", "b=2")],
            (Some(Some("a=1,b=2")), 0),
        ),
        ("invalid", &[parent, ("tracestate", "a=1,B=2")], (Some(None), 1)),
        (
            "the same key twice",
            &[parent, ("tracestate", "a=1"), ("tracestate", "a=2,b=3,a=4")],
            (Some(Some("a=1,b=3")), 2),
        ),
        ("32 members", &[parent, ("tracestate", &hundred)], (Some(None), 1)),
    ] {
        let expected = (expected.0.map(|state: Option<&str>| state.map(str::to_owned)), expected.1);
        assert_eq!(state(lines), expected, "{section}: {lines:?}");
    }
}

#[test]
fn members_that_do_not_fit_are_counted() {
    let long = (0..6).map(|number| format!("k{number}={}", "x".repeat(97)));
    let long = long.collect::<Vec<_>>().join(",");
    let mut dropped = Dropped::default();
    let headers = headers(&[("traceparent", PARENT), ("tracestate", &long)]);
    let span = read(&Fields::of(&headers), &mut dropped);
    assert_eq!((dropped.0, span.unwrap().trace_state().iter().count()), (1, 5));
}

#[test]
fn a_legacy_id_counts_where_no_traceparent_came() {
    let legacy = ("x-trace-id", TRACE);
    let span = extract(&headers(&[legacy])).unwrap();
    assert_eq!(span.trace_id().to_string(), TRACE);
    assert!(span.is_valid() && span.is_remote() && span.is_sampled() && !span.flags().is_random());
    assert_eq!(span.child().trace_id(), span.trace_id());

    let other = PARENT.replace("12-12", "99-12");
    let span = extract(&headers(&[legacy, ("traceparent", &other)])).unwrap();
    assert_ne!(span.trace_id().to_string(), TRACE);
    for lines in [
        &[legacy, ("traceparent", "00-1-1-01")][..],
        &[legacy, legacy],
        &[("x-trace-id", &TRACE[1..])],
        &[("x-trace-id", "0x345678901234567890123456789012")],
        &[("x-trace-id", "ABCDEF78901234567890123456789012")],
        &[("x-trace-id", "00000000000000000000000000000000")],
        &[("x-trace-id", "12345678-9012-3456-7890-123456789012")],
        &[("x-trace-id", "")],
    ] {
        let mut dropped = Dropped::default();
        assert_eq!(read(&Fields::of(&headers(lines)), &mut dropped), None, "{lines:?}");
        assert_eq!(dropped.0, 1, "{lines:?}");
    }
}

#[test]
fn the_id_alone_is_written_where_it_is_asked_for() {
    let mut headers = HeaderMap::new();
    let root = SpanContext::root();
    write(&root, true, &mut headers);
    assert_eq!(headers["x-trace-id"], root.trace_id().to_string().as_str());
    assert_eq!(headers.len(), 2);
    assert_eq!(extract(&headers), Some(root.with_remote(true)));
    let mut headers = HeaderMap::new();
    write(&SpanContext::invalid(), true, &mut headers);
    assert!(headers.is_empty());
}

fn span() -> impl Strategy<Value = SpanContext> {
    let state =
        prop::collection::btree_map("[a-z0-9][a-z0-9_*/@-]{0,5}", "[!-+.-<>-~-]{1,8}", 0..32);
    (1..u128::MAX, 1..u64::MAX, any::<u8>(), state).prop_map(|(trace, span, flags, state)| {
        let trace = TraceId::from_bytes(trace.to_be_bytes());
        let span = SpanId::from_bytes(span.to_be_bytes());
        let state: Vec<_> = state.iter().map(|(key, value)| format!("{key}={value}")).collect();
        SpanContext::new(trace, span, TraceFlags::from_bits(flags).known())
            .with_trace_state(state.join(",").parse().unwrap())
            .with_remote(true)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(span in span()) {
        let mut headers = HeaderMap::new();
        write(&span, false, &mut headers);
        prop_assert_eq!(extract(&headers), Some(span));
    }

    #[test]
    fn a_valid_tracestate_leaves_as_it_came(span in span(), gap in "[ \t]{0,3}") {
        let Some(line) = span.trace_state().header() else { return Ok(()) };
        let line = line.to_str().unwrap().replace(',', &format!("{gap},{gap}"));
        prop_assume!(line.len() <= 512);
        let span = extract(&headers(&[("traceparent", PARENT), ("tracestate", &line)])).unwrap();
        prop_assert_eq!(&sent(&span.child())[1].1, &line);
    }

    #[test]
    fn no_bytes_make_it_panic(
        lines in prop::collection::vec(
            (0..3usize, prop::collection::vec(any::<u8>(), 0..80)), 0..6,
        ),
        cut in 0..=55usize,
        byte: u8,
    ) {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                headers.append(["traceparent", "tracestate", "x-trace-id"][name], line);
            }
        }
        let _ = extract(&headers);
        let mut line = PARENT.as_bytes().to_vec();
        if let Some(place) = line.get_mut(cut) {
            *place = byte;
        } else {
            line.push(byte);
        }
        if let Ok(line) = HeaderValue::from_bytes(&line) {
            headers.insert("traceparent", line);
            let _ = extract(&headers);
        }
    }
}
