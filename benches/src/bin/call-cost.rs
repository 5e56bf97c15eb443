//! What `#[propagate]` costs a call and an await, in instructions, beside a plain `async fn`,
//! `#[tracing::instrument]` without a subscriber and `#[fastrace::trace]` without a reporter; and what futures weigh.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin call-cost`

use std::mem::size_of_val;
use std::process::ExitCode;

use ctxprop_benches::calls::{CASES, instrumented, plain, propagated, traced};
use ctxprop_benches::instructions::{instructions, ran_as_child};

/// Goals: what the propagated form may cost more than the plain one, in instructions.
const GOALS: [(&str, f64); 2] = [("call", 50.0), ("ready", 18.0)];

fn main() -> ExitCode {
    if ran_as_child(&CASES) {
        return ExitCode::SUCCESS;
    }
    println!(
        "futures, in bytes: plain {}, propagate {}, tracing::instrument {}, fastrace::trace {}",
        size_of_val(&plain::calls(1)),
        size_of_val(&propagated::calls(1)),
        size_of_val(&instrumented::calls(1)),
        size_of_val(&traced::calls(1))
    );
    let mut missed = false;
    for group in CASES.chunks(4) {
        let mut plain = 0.0;
        for (n, case) in group.iter().enumerate() {
            let count = match instructions(*case, [1_000, 11_000]) {
                Ok(count) => count,
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            };
            if n == 0 {
                plain = count;
            }
            println!("{:34} {count:8.1} instructions, {:+8.1}", case.0, count - plain);
            let goal = GOALS.iter().find(|(name, _)| n == 1 && case.0.starts_with(name));
            missed |= goal.is_some_and(|(_, goal)| count - plain > *goal);
        }
    }
    if missed {
        eprintln!("a goal is missed: {GOALS:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
