//! W3C Trace Context Level 2 over real sockets: the cases of the working group's own suite (w3c/trace-context,
//! `test/test.py` at 6261328, `SPEC_LEVEL` 2, `STRICT_LEVEL` 2) and more, against the binary that such a harness runs
//! against.
//!
//! Both peers of the service are raw TCP here, so that names keep their case and lines their white space.

#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::io::Read;

use harness::{Harness, PARENT, TRACE, trace_parent};

#[path = "trace_context/harness.rs"]
mod harness;
#[path = "trace_context/traceparent.rs"]
mod traceparent;
#[path = "trace_context/tracestate.rs"]
mod tracestate;

#[test]
fn flags_are_kept_or_cleared() {
    let harness = Harness::start();
    for (section, version, received, sent) in [
        ("3.2.2.5.1 Sampled flag", "00", "01", "01"),
        ("3.2.2.5.1 Sampled flag", "00", "00", "00"),
        ("3.2.2.5.2 Random Trace ID Flag: set stays set", "00", "02", "02"),
        ("3.2.2.5.2 Random Trace ID Flag: set stays set", "00", "03", "03"),
        ("3.2.2.5.2 Random Trace ID Flag: unset stays unset", "00", "01", "01"),
        ("3.2.2.5.3 Other Flags: zero", "00", "ff", "03"),
        ("3.2.2.5.3 Other Flags: zero", "00", "fc", "00"),
        ("3.2.4 Versioning: flags of a later version", "cc", "ff", "03"),
    ] {
        let received = format!("{version}-{TRACE}-1234567890123456-{received}");
        let calls = harness.calls(&[("traceparent", &received)], 1);
        let (trace_id, _, flags) = trace_parent(&calls[0]);
        assert_eq!((trace_id.as_str(), flags.as_str()), (TRACE, sent), "{section}: {received}");
    }
}

#[test]
fn each_call_has_a_span_of_its_own_in_one_trace() {
    let harness = Harness::start();
    let illegal = "00-00000000000000000000000000000000-1234567890123456-01";
    for (test, headers) in [
        ("multiple_requests_with_valid_traceparent", vec![("traceparent", PARENT)]),
        ("multiple_requests_without_traceparent", vec![]),
        ("multiple_requests_with_illegal_traceparent", vec![("traceparent", illegal)]),
    ] {
        let calls: Vec<_> = harness.calls(&headers, 3).iter().map(trace_parent).collect();
        let mut spans: Vec<_> = calls.iter().map(|(_, span, _)| span).collect();
        spans.sort();
        spans.dedup();
        assert_eq!(spans.len(), 3, "{test}");
        assert!(calls.iter().all(|(trace, ..)| *trace == calls[0].0), "{test}");
        let continued = calls[0].0 == TRACE;
        assert_eq!(continued, test == "multiple_requests_with_valid_traceparent", "{test}");
        assert_ne!(calls[0].0, "0".repeat(32), "{test}");
    }
}

#[test]
fn bad_bodies_and_dead_ends_do_no_harm() {
    let mut harness = Harness::start();
    for body in [
        "",
        "null",
        "{}",
        "[",
        "[1]",
        "[{}]",
        r#"{"url":"http://127.0.0.1:1/","arguments":[]}"#,
        r#"[{"url":1,"arguments":[]}]"#,
        "\u{1f4a3}",
    ] {
        assert_eq!(harness.status(&[], body), 400, "{body}");
    }
    // nobody listens on port 1
    for url in ["http://127.0.0.1:1/gone", "not a URL", "", "ftp://127.0.0.1/", "http://[::1"] {
        let body = format!(r#"[{{"url":"{url}","arguments":null}},{{"url":"{url}"}}]"#);
        assert_eq!(harness.status(&[], &body), 200, "{url}");
    }
    assert_eq!(harness.status(&[], "[]"), 200);
    assert_eq!(harness.calls(&[], 1).len(), 1, "still there");

    harness.service.kill().unwrap();
    let mut log = String::new();
    harness.service.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(log.matches("POST http://127.0.0.1:1/gone").count(), 2, "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
