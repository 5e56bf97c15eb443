//! Random programs of `#[propagate]` code, run for real and by the rules: what began, what was dropped, what completed, and
//! in which order, must be the same.
//!
//! `CTXPROP_PROGRAMS` is how many (100,000), `CTXPROP_SEED` the seed of the first one; a failure tells its seed, and the
//! program, as small as it gets, as Rust.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

#[path = "interpreter/events.rs"]
mod events;
#[path = "interpreter/generate.rs"]
mod generate;
#[path = "interpreter/print.rs"]
mod print;
#[path = "interpreter/program.rs"]
mod program;
#[path = "interpreter/real.rs"]
mod real;
#[path = "interpreter/real_joined.rs"]
mod real_joined;
#[path = "interpreter/reference.rs"]
mod reference;
#[path = "interpreter/rules.rs"]
mod rules;
#[path = "interpreter/rules_joined.rs"]
mod rules_joined;
#[path = "interpreter/shrink.rs"]
mod shrink;

use std::collections::BTreeSet;
use std::fmt::Write;

use events::Log;
use program::{End, Program};
use tokio::runtime::Runtime;

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => otherwise,
    }
}

/// Every moment at which a program may end: between two things that happen, and at each of them.
fn moments(program: &Program) -> Vec<End> {
    let log = reference::run(&Program { end: End::Never, ..program.clone() });
    let millis = log.last().unwrap().0;
    let between = (0..=millis / 4).map(|n| n * 4 + 2);
    std::iter::once(End::Never)
        .chain(between.clone().map(End::At))
        .chain((1..log.len()).map(End::AtEvent))
        .chain(between.map(End::Deadline))
        .collect()
}

/// What was expected and what was seen, where they differ.
fn differs(runtime: &Runtime, program: &Program) -> Option<(Log, Log)> {
    let (expected, seen) = (reference::run(program), real::run(runtime, program));
    (expected != seen).then_some((expected, seen))
}

fn report(expected: &Log, seen: &Log) -> String {
    let mut text = String::new();
    for n in 0..expected.len().max(seen.len()) {
        let (expected, seen) = (expected.get(n), seen.get(n));
        let show = |entry: Option<&(u32, events::Event)>| {
            entry.map_or_else(String::new, |(at, event)| format!("{at:>4} {event:?}"))
        };
        let mark = if expected == seen { ' ' } else { '!' };
        writeln!(text, "{mark} {:<45} {}", show(expected), show(seen)).unwrap();
    }
    text
}

/// A program that fails, as small as it gets: its text, and the same without numbers, which is what kind of failure it is.
fn failure(runtime: &Runtime, program: Program) -> (String, String) {
    let program = shrink::shrink(program, moments, |program| differs(runtime, program).is_some());
    let (expected, seen) = differs(runtime, &program).unwrap();
    let printed = print::print(&program);
    let kind = printed.chars().filter(|char| !char.is_ascii_digit()).collect();
    (format!("{printed}\n  {:<45} seen\n{}", "expected", report(&expected, &seen)), kind)
}

#[test]
fn random_programs_do_what_the_rules_say() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (first, count) = (number("CTXPROP_SEED", 1), number("CTXPROP_PROGRAMS", 100_000));
    let most = number("CTXPROP_FAILURES", 1);
    let (mut kinds, mut failures, mut runs) = (BTreeSet::new(), Vec::new(), 0);
    for seed in first..first + count {
        let mut program = generate::program(seed);
        let moments = moments(&program);
        let mut random = fastrand::Rng::with_seed(seed);
        for end in [End::Never, moments[random.usize(0..moments.len())]] {
            program.end = end;
            runs += 1;
            if differs(&runtime, &program).is_some() {
                let (text, kind) = failure(&runtime, program.clone());
                if kinds.insert(kind) {
                    failures.push(format!("seed {seed}:\n{text}"));
                }
            }
        }
        if failures.len() as u64 >= most {
            break;
        }
    }
    println!("{count} programs from seed {first} on, {runs} runs");
    assert!(failures.is_empty(), "{} kinds of failures:\n{}", failures.len(), failures.join("\n"));
}
