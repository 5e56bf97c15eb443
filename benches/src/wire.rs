//! What the wire costs: a hop's headers read and written, beside OpenTelemetry's propagators; the first look at baggage
//! that nobody decoded before; and what a stranger's baggage costs an edge that takes one key of it.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::time::Duration;

use ctxprop::BaggageMap;
use ctxprop::wire::{Expired, Formats, Incoming, Outgoing};
use http::{HeaderMap, HeaderValue};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_http::HeaderInjector;

use crate::instructions::{Case, allocations, instructions};
use crate::peers::otel;
use crate::report::{Goal, Part, Report, Runs};
use crate::served;

const ROUNDS: [u64; 2] = [100, 300];

fn hop(entries: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert("traceparent", HeaderValue::from_static(parent));
    let state = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
    headers.insert("tracestate", HeaderValue::from_str(state).expect("a value"));
    let baggage = served::baggage(entries);
    headers.insert("baggage", HeaderValue::try_from(baggage).expect("a value"));
    headers
}

fn repeat<T>(rounds: u64, mut work: impl FnMut() -> T) {
    for _ in 0..rounds {
        black_box(work());
    }
}

/// Reads a hop's headers and writes the next hop's.
fn ours(entries: usize, remaining: Option<Duration>, rounds: u64) {
    let headers = hop(entries);
    repeat(rounds, || {
        let incoming = Formats::new().extract(black_box(&headers));
        let mut next = HeaderMap::new();
        let written: Option<Result<(), Expired>> = incoming.span.as_ref().map(|span| {
            let outgoing = Outgoing { span, baggage: Some(&incoming.baggage), remaining };
            Formats::new().inject(&outgoing, &mut next)
        });
        assert_eq!(written, Some(Ok(())));
        next
    });
}

fn theirs(entries: usize, rounds: u64) {
    let (headers, propagator) = (hop(entries), otel::propagator());
    repeat(rounds, || {
        let context = otel::extract(black_box(&headers));
        let mut next = HeaderMap::new();
        propagator.inject_context(&context, &mut HeaderInjector(&mut next));
        next
    });
}

/// Reads a hop's headers, and does with its baggage what `look` does, which is given the last key of it.
fn read(entries: usize, rounds: u64, look: impl Fn(&BaggageMap, &str)) {
    let headers = hop(entries);
    let last = format!("entry{:02}", entries - 1);
    repeat(rounds, || {
        let incoming = Incoming::from_headers(black_box(&headers));
        look(&incoming.baggage, &last);
        incoming
    });
}

fn kept(entries: usize, rounds: u64) {
    read(entries, rounds, |_, _| ());
}

fn one(entries: usize, rounds: u64) {
    read(entries, rounds, |baggage, key| assert!(baggage.get(key).is_some()));
}

fn all(entries: usize, rounds: u64) {
    read(entries, rounds, |baggage, key| {
        assert_eq!(black_box(baggage).iter().last().map(|(last, _)| last), Some(key));
    });
}

/// An edge that takes `tenant`, of a stranger that sends so many entries of which none is that.
fn edge(entries: usize, rounds: u64) {
    let headers = match entries {
        0 => HeaderMap::new(),
        _ => HeaderMap::from_iter([(
            http::HeaderName::from_static("baggage"),
            HeaderValue::try_from(served::baggage(entries)).expect("a value"),
        )]),
    };
    let formats = Formats::new().trace(false);
    repeat(rounds, || formats.extract_keys(black_box(&headers), &["tenant"]));
}

const LEFT: Option<Duration> = Some(Duration::from_millis(5_432));

const OURS: [Case; 2] = [("wire, 3", |n| ours(3, None, n)), ("wire, 60", |n| ours(60, None, n))];
const BUDGET: [Case; 2] =
    [("wire and budget, 3", |n| ours(3, LEFT, n)), ("wire and budget, 60", |n| ours(60, LEFT, n))];
const THEIRS: [Case; 2] =
    [("wire, otel, 3", |n| theirs(3, n)), ("wire, otel, 60", |n| theirs(60, n))];
const KEPT: [Case; 3] =
    [("kept, 3", |n| kept(3, n)), ("kept, 16", |n| kept(16, n)), ("kept, 64", |n| kept(64, n))];
const READ: [Case; 3] =
    [("read, 3", |n| one(3, n)), ("read, 16", |n| one(16, n)), ("read, 64", |n| one(64, n))];
const ITER: [Case; 3] =
    [("iter, 3", |n| all(3, n)), ("iter, 16", |n| all(16, n)), ("iter, 64", |n| all(64, n))];
const EDGE: [Case; 2] = [("edge, none", |n| edge(0, n)), ("edge, 180", |n| edge(180, n))];

/// This file's part.
pub const PART: Part = Part {
    name: "wire",
    runs: Runs::Cheap,
    cases: &[
        OURS[0], OURS[1], BUDGET[0], BUDGET[1], THEIRS[0], THEIRS[1], KEPT[0], KEPT[1], KEPT[2],
        READ[0], READ[1], READ[2], ITER[0], ITER[1], ITER[2], EDGE[0], EDGE[1],
    ],
    measure,
};

fn measure(report: &mut Report) -> Result<(), String> {
    if !report.valgrind {
        return Ok(());
    }
    for (at, entries, times) in [(0, 3, 10.0), (1, 60, 50.0)] {
        let name = format!("extract and inject, {entries} entries");
        let (ours, theirs) = (OURS[at], Some(THEIRS[at]));
        report.instructions(&name, ours, theirs, ROUNDS, Goal::Ratio(1.0 / times))?;
        report.allocations(&name, ours, theirs, ROUNDS, Goal::AtMost(3.0))?;
        let name = format!("{name}, with both budget headers");
        report.allocations(&name, BUDGET[at], theirs, ROUNDS, Goal::AtMost(4.0))?;
    }
    for (at, entries, most) in [(0, 3, 2_000.0), (1, 16, 8_000.0), (2, 64, 32_000.0)] {
        let kept = instructions(KEPT[at], ROUNDS)?;
        let first = instructions(READ[at], ROUNDS)? - kept;
        let name = format!("first read of {entries} baggage entries, instructions");
        report.counted(&name, first, None, Goal::AtMost(most));
        let all = instructions(ITER[at], ROUNDS)? - kept;
        let name = format!("first iter() over {entries} baggage entries, instructions");
        report.counted(&name, all, None, Goal::AtMost(most));
    }
    let over = instructions(EDGE[1], ROUNDS)? - instructions(EDGE[0], ROUNDS)?;
    let name = "a stranger's 180 entries at an edge that takes one key, over none";
    report.counted(&format!("{name}, instructions"), over, None, Goal::AtMost(15_000.0));
    let over = allocations(EDGE[1], ROUNDS)? - allocations(EDGE[0], ROUNDS)?;
    report.counted(&format!("{name}, allocations"), over, None, Goal::None);
    Ok(())
}
