//! What a hop pays to read a context from headers and to write it into the next request's, beside `opentelemetry_sdk`.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin wire-cost
//! ```
//!
//! It counts instructions and allocations, which are the same on every machine, and takes no time. It runs itself under
//! valgrind (Debian: `apt-get install valgrind`) for two numbers of rounds, and divides the difference, so that start-up
//! and first rounds do not count. It tells which goal is missed; the exit code is 1 where what was reached is lost.
//!
//! One message has a `traceparent`, a `tracestate` of 2 members and a `baggage` of 3 or of 60. The values of its headers
//! are shared already, as those are that a server reads from its buffer. The peer is `TraceContextPropagator` and
//! `BaggagePropagator` together, through the extractor and injector of `opentelemetry-http`.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::process::ExitCode;

use ctxprop::wire::{Formats, Incoming, Outgoing};
use ctxprop_benches::instructions::{Case, allocations, instructions, ran_as_child};
use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

const ROUNDS: [u64; 2] = [100, 300];

/// By the number of baggage members: ours to extract and to inject, then theirs.
const CASES: [(usize, [Case; 4]); 2] = [
    (
        3,
        [
            ("ctxprop extract 3", |rounds| work(Side::Ours, Way::Extract, 3, rounds)),
            ("ctxprop inject 3", |rounds| work(Side::Ours, Way::Inject, 3, rounds)),
            ("opentelemetry extract 3", |rounds| work(Side::Theirs, Way::Extract, 3, rounds)),
            ("opentelemetry inject 3", |rounds| work(Side::Theirs, Way::Inject, 3, rounds)),
        ],
    ),
    (
        60,
        [
            ("ctxprop extract 60", |rounds| work(Side::Ours, Way::Extract, 60, rounds)),
            ("ctxprop inject 60", |rounds| work(Side::Ours, Way::Inject, 60, rounds)),
            ("opentelemetry extract 60", |rounds| work(Side::Theirs, Way::Extract, 60, rounds)),
            ("opentelemetry inject 60", |rounds| work(Side::Theirs, Way::Inject, 60, rounds)),
        ],
    ),
];

enum Side {
    Ours,
    Theirs,
}

enum Way {
    Extract,
    Inject,
}

/// How many times fewer instructions than the peer, by the number of baggage members.
const GOALS: [f64; 2] = [10.0, 30.0];
/// What is reached of that, and must not be lost: less fails.
const HOLDS: [f64; 2] = [10.0, 30.0];
/// For both ways together, with any number of members.
const MOST_ALLOCATIONS: f64 = 4.0;

fn message(members: usize) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert("traceparent", HeaderValue::from_static(parent));
    let state = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
    headers.insert("tracestate", HeaderValue::from_str(state)?);
    let member = |number| format!("entry{number:02}=valueof{number:02}");
    let baggage: Vec<_> = (0..members).map(member).collect();
    headers.insert("baggage", HeaderValue::try_from(baggage.join(","))?);
    Ok(headers)
}

/// What one run under valgrind does.
fn work(side: Side, way: Way, members: usize, rounds: u64) {
    let headers = message(members).expect("valid headers");
    match (side, way) {
        (Side::Ours, Way::Extract) => {
            repeat(rounds, || Formats::new().extract(black_box(&headers)));
        }
        (Side::Ours, Way::Inject) => {
            let incoming = Formats::new().extract(&headers);
            repeat(rounds, || ours(black_box(&incoming)));
        }
        (Side::Theirs, Way::Extract) => {
            let peer = peer();
            repeat(rounds, || peer.extract(&HeaderExtractor(black_box(&headers))));
        }
        (Side::Theirs, Way::Inject) => {
            let peer = peer();
            let context = peer.extract(&HeaderExtractor(&headers));
            repeat(rounds, || theirs(&peer, black_box(&context)));
        }
    }
}

fn repeat<T>(rounds: u64, mut work: impl FnMut() -> T) {
    for _ in 0..rounds {
        black_box(&work());
    }
}

fn ours(incoming: &Incoming) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(span) = &incoming.span {
        let outgoing = Outgoing { span, baggage: Some(&incoming.baggage), remaining: None };
        // Only a budget can be too small to be sent.
        let _: Result<(), ctxprop::wire::Expired> = Formats::new().inject(&outgoing, &mut headers);
    }
    headers
}

fn theirs(peer: &TextMapCompositePropagator, context: &Context) -> HeaderMap {
    let mut headers = HeaderMap::new();
    peer.inject_context(context, &mut HeaderInjector(&mut headers));
    headers
}

fn peer() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
}

/// Both sides must do the whole work, or there is nothing to compare.
fn check(members: usize) {
    let headers = message(members).expect("valid headers");
    let ours = ours(&Formats::new().extract(&headers));
    assert_eq!(ours, headers, "ctxprop");
    let peer = peer();
    let theirs = theirs(&peer, &peer.extract(&HeaderExtractor(&headers)));
    for name in ["traceparent", "tracestate"] {
        assert_eq!(theirs[name], headers[name], "opentelemetry");
    }
    let count = |headers: &HeaderMap| headers["baggage"].as_bytes().split(|b| *b == b',').count();
    assert_eq!((count(&theirs), count(&headers)), (members, members), "opentelemetry");
}

/// Whether what was reached before still is.
fn compare(members: usize, cases: [Case; 4], goal: f64, holds: f64) -> Result<bool, String> {
    check(members);
    println!("traceparent, tracestate of 2, baggage of {members}");
    let (mut totals, mut own_allocations) = ([0.0; 2], 0.0);
    for (n, case) in cases.into_iter().enumerate() {
        let (instructions, allocations) = (instructions(case, ROUNDS)?, allocations(case, ROUNDS)?);
        println!("  {:24} {instructions:>8.0} instructions {allocations:>4.0} allocations", case.0);
        totals[n / 2] += instructions;
        own_allocations += if n < 2 { allocations } else { 0.0 };
    }
    let ratio = totals[1] / totals[0];
    let reached = ratio >= goal && own_allocations <= MOST_ALLOCATIONS;
    println!(
        "  {ratio:.1} times fewer instructions (goal {goal}), {own_allocations} allocations (goal {MOST_ALLOCATIONS}): {}",
        if reached { "reached" } else { "missed" }
    );
    Ok(ratio >= holds && own_allocations <= MOST_ALLOCATIONS)
}

fn main() -> Result<ExitCode, String> {
    let cases: Vec<_> = CASES.iter().flat_map(|(_, cases)| *cases).collect();
    if ran_as_child(&cases) {
        return Ok(ExitCode::SUCCESS);
    }
    let mut holds = true;
    for (((members, cases), goal), least) in CASES.into_iter().zip(GOALS).zip(HOLDS) {
        holds &= compare(members, cases, goal, least)?;
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
