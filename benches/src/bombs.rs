//! Header bombs, for the test that counts what they allocate and the benchmark that counts their instructions.

#![allow(
    clippy::expect_used,
    unreachable_pub,
    reason = "for a test, which names it by its path, and a benchmark"
)]

use http::{HeaderMap, HeaderValue};

/// How many lines.
pub const LINES: usize = 100;
/// How long a line.
pub const LONG: usize = 64 * 1024;

static PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A header, and what its lines consist of, again and again.
pub static BOMBS: &[(&str, &str)] = &[
    ("baggage", "k=v,"),
    ("baggage", ","),
    ("baggage", " "),
    ("baggage", "a"),
    ("baggage", "="),
    ("baggage", "k=v;"),
    ("baggage", "k=v;p=1;"),
    ("baggage", "k=v;p;p , "),
    ("baggage", "%"),
    ("baggage", "k=%25%2C%e9,"),
    ("baggage", "k=\"\\"),
    ("baggage", "\u{e9}=\u{fffd},"),
    ("tracestate", "k=v,"),
    ("tracestate", ","),
    ("tracestate", " "),
    ("tracestate", "k"),
    ("tracestate", "a@b=1,\t"),
    ("traceparent", "0"),
    ("traceparent", "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-"),
    ("x-trace-id", "f"),
    ("x-timeout-ms", "9"),
    ("x-timeout-ms", "1,"),
    ("grpc-timeout", "9"),
    ("connect-timeout-ms", "0"),
    ("x-envoy-expected-rq-timeout-ms", "00000000000"),
    ("x-deadline", "9"),
    ("x-deadline", "2026-11-05T12:00:00."),
    ("x-deadline", "2026-11-05T12:00:00+23:59"),
];

/// A line of `piece`, again and again.
///
/// # Panics
///
/// Where it is no header value.
pub fn line(piece: &str, length: usize) -> HeaderValue {
    let mut text = piece.repeat(length.div_ceil(piece.len()));
    if piece == "2026-11-05T12:00:00." {
        text = format!("{piece}{}Z", "1".repeat(length));
    }
    HeaderValue::from_bytes(text.as_bytes()).expect("a header value")
}

/// Beside the bomb a trace that is valid, so that a list of it is looked at.
#[must_use]
pub fn bomb(name: &'static str, piece: &str, lines: usize, length: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if name != "traceparent" && name != "x-trace-id" {
        headers.insert("traceparent", HeaderValue::from_static(PARENT));
    }
    let value = line(piece, length);
    for _ in 0..lines {
        headers.append(name, value.clone());
    }
    headers
}
