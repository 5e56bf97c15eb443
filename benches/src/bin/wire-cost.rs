//! What a hop pays to read a context from headers and to write it into the next request's, beside `opentelemetry_sdk`.
//!
//! ```console
//! $ cargo run --release -p ctxprop-benches --bin wire-cost
//! ```
//!
//! It counts instructions and allocations, which are the same on every machine, and takes no time. It runs itself under
//! valgrind (Debian: `apt-get install valgrind`) for two numbers of rounds, and divides the difference, so that start-up
//! and first rounds do not count. The exit code is 1 where a goal is missed.
//!
//! One message has a `traceparent`, a `tracestate` of 2 members and a `baggage` of 3 or of 60. The values of its headers
//! are shared already, as those are that a server reads from its buffer. The peer is `TraceContextPropagator` and
//! `BaggagePropagator` together, through the extractor and injector of `opentelemetry-http`.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use ctxprop::wire::{Formats, Incoming, Outgoing};
use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

const ROUNDS: [u64; 2] = [100, 300];
const SIDES: [&str; 2] = ["ctxprop", "opentelemetry"];
const WAYS: [&str; 2] = ["extract", "inject"];

/// How many times fewer instructions than the peer, by the number of baggage members.
const GOALS: [(usize, f64); 2] = [(3, 10.0), (60, 30.0)];
/// For both ways together, with any number of members.
const MOST_ALLOCATIONS: u64 = 4;

fn message(members: usize) -> Result<HeaderMap, Box<dyn Error>> {
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
fn work(side: &str, way: &str, members: usize, rounds: u64) -> Result<(), Box<dyn Error>> {
    let headers = message(members)?;
    match (side, way) {
        ("ctxprop", "extract") => repeat(rounds, || Formats::new().extract(black_box(&headers))),
        ("ctxprop", "inject") => {
            let incoming = Formats::new().extract(&headers);
            repeat(rounds, || ours(black_box(&incoming)));
        }
        ("opentelemetry", "extract") => {
            let peer = peer();
            let extract = || peer.extract(&HeaderExtractor(black_box(&headers)));
            repeat(rounds, extract);
        }
        ("opentelemetry", "inject") => {
            let peer = peer();
            let context = peer.extract(&HeaderExtractor(&headers));
            repeat(rounds, || theirs(&peer, black_box(&context)));
        }
        _ => return Err(format!("unknown: {side} {way}").into()),
    }
    Ok(())
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
fn check() -> Result<(), Box<dyn Error>> {
    for (members, _) in GOALS {
        let headers = message(members)?;
        let ours = ours(&Formats::new().extract(&headers));
        assert_eq!(ours, headers, "ctxprop");
        let peer = peer();
        let theirs = theirs(&peer, &peer.extract(&HeaderExtractor(&headers)));
        for name in ["traceparent", "tracestate"] {
            assert_eq!(theirs[name], headers[name], "opentelemetry");
        }
        let count =
            |headers: &HeaderMap| headers["baggage"].as_bytes().split(|b| *b == b',').count();
        assert_eq!((count(&theirs), count(&headers)), (members, members), "opentelemetry");
    }
    Ok(())
}

/// Runs this program under a tool of valgrind for both numbers of rounds; `label` stands before the number that counts.
fn measure(tool: &[&str], label: &str, work: [&str; 3]) -> Result<u64, Box<dyn Error>> {
    let run = |rounds: u64| -> Result<u64, Box<dyn Error>> {
        let mut valgrind = Command::new("valgrind");
        let output = valgrind
            .args(tool)
            .arg(env::current_exe()?)
            .args(work)
            .arg(rounds.to_string())
            .output()
            .map_err(|error| format!("valgrind: {error}"))?;
        let log = String::from_utf8(output.stderr)?;
        let (_, number) = log.split_once(label).ok_or_else(|| format!("valgrind said: {log}"))?;
        let digits = number.trim_start().split(|char: char| !char.is_ascii_digit() && char != ',');
        let digits = digits.take(1).collect::<String>().replace(',', "");
        Ok(digits.parse()?)
    };
    let [few, many] = ROUNDS;
    Ok((run(many)? - run(few)?) / (many - few))
}

fn instructions(work: [&str; 3]) -> Result<u64, Box<dyn Error>> {
    let tool = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    measure(&tool, "Collected :", work)
}

fn allocations(work: [&str; 3]) -> Result<u64, Box<dyn Error>> {
    measure(&["--tool=memcheck", "--leak-check=no"], "total heap usage:", work)
}

fn compare() -> Result<bool, Box<dyn Error>> {
    check()?;
    let mut reached = true;
    for (members, goal) in GOALS {
        let mut totals = [0; 2];
        let mut own_allocations = 0;
        println!("traceparent, tracestate of 2, baggage of {members}");
        for (side, total) in SIDES.iter().zip(&mut totals) {
            for way in WAYS {
                let members = members.to_string();
                let work = [*side, way, &members];
                let (instructions, allocations) = (instructions(work)?, allocations(work)?);
                println!(
                    "  {side:13} {way:7} {instructions:>7} instructions {allocations:>4} allocations"
                );
                *total += instructions;
                own_allocations += if *side == "ctxprop" { allocations } else { 0 };
            }
        }
        let ratio = totals[1] as f64 / totals[0] as f64;
        let passed = ratio >= goal && own_allocations <= MOST_ALLOCATIONS;
        reached &= passed;
        println!(
            "  {:.1} times fewer instructions (goal {goal}), {own_allocations} allocations (goal {MOST_ALLOCATIONS}): {}",
            ratio,
            if passed { "reached" } else { "missed" }
        );
    }
    Ok(reached)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.as_slice() {
        [] => Ok(if compare()? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        [side, way, members, rounds] => {
            work(side, way, members.parse()?, rounds.parse()?)?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("usage: wire-cost".into()),
    }
}
