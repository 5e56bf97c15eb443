//! Whether a byte of a long line costs more to read than one of a short line, in instructions: all bombs in lines of
//! 1 KiB, and as many bytes in lines of 64 KiB. What is quadratic in the length of a line costs 64 times as much there.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin bomb-cost`

use std::hint::black_box;
use std::process::ExitCode;

use ctxprop::wire::Incoming;
use ctxprop_benches::bombs::{BOMBS, LONG, bomb};
use ctxprop_benches::instructions::{Case, instructions, ran_as_child};

/// How many times shorter the short lines are, and how many more of them there are.
const TIMES: usize = 64;
const LINES: usize = 8;

const CASES: [Case; 2] = [
    ("short lines", |rounds| read(rounds, LINES * TIMES, LONG / TIMES)),
    ("long lines", |rounds| read(rounds, LINES, LONG)),
];

/// At most so many times what the short lines cost.
const GOAL: f64 = 2.0;

fn read(rounds: u64, lines: usize, length: usize) {
    for _ in 0..rounds {
        for &(name, piece) in BOMBS {
            black_box(Incoming::from_headers(&bomb(name, piece, lines, length)));
        }
    }
}

fn main() -> Result<ExitCode, String> {
    if ran_as_child(&CASES) {
        return Ok(ExitCode::SUCCESS);
    }
    let [short, long] = CASES;
    let (short, long) = (instructions(short, [1, 2])?, instructions(long, [1, 2])?);
    println!("{} bombs of {} KiB", BOMBS.len(), LINES * LONG / 1024);
    println!("in short lines {short:>12.0} instructions");
    println!("in long lines  {long:>12.0} instructions, {:.2} times (goal {GOAL})", long / short);
    Ok(if long <= GOAL * short { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
