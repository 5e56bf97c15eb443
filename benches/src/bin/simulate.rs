//! What it costs not to have it, as a table and as a plot.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --features simulation --bin simulate
//! ```
//!
//! A tree of services over a paused clock (see `src/simulation.rs`), with users who leave, and an overload that passes. It
//! writes `docs/without-it.svg`, the same one each time: chance has a seed.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use ctxprop_benches::plot::{Axis, Line, Panel, svg};
use ctxprop_benches::simulation::{Mode, Outcome, Parameters, simulate};

/// Of what the workers bear.
const LOADS: [f64; 9] = [0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5];
/// Of the third panel, in seconds, and how much of what they bear comes meanwhile.
const OVERLOAD: [usize; 2] = [30, 60];
const SECONDS: usize = 150;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/without-it.svg")
}

fn run(parameters: &Parameters) -> Result<Outcome, String> {
    let outcome = simulate(parameters)?;
    if outcome.left > 0 {
        return Err(format!("{} contexts and tasks are left", outcome.left));
    }
    Ok(outcome)
}

/// A line for each mode.
fn lines(points: impl Fn(Mode) -> Result<Vec<(f64, f64)>, String>) -> Result<Vec<Line>, String> {
    let line = |mode: Mode| {
        Ok(Line { label: mode.name().to_owned(), points: points(mode)?, dashed: false })
    };
    Mode::ALL.into_iter().map(line).collect()
}

fn told(what: &str, mode: Mode, outcome: &Outcome) {
    println!(
        "{what:32} {:24} {:>7} users {:>8} hops {:>6.1} % wasted {:>6.1} % answered",
        mode.name(),
        outcome.requests,
        outcome.hops,
        100.0 * outcome.wasted_share(),
        100.0 * outcome.answered_share()
    );
}

/// The share of work for those who had left, by the load.
fn by_load() -> Result<Panel, String> {
    let lines = lines(|mode| {
        let mut points = Vec::new();
        for load in LOADS {
            let mut parameters = Parameters::new(mode);
            parameters.rate = vec![parameters.bears * load; 60];
            let outcome = run(&parameters)?;
            told(&format!("load {load}"), mode, &outcome);
            points.push((load, 100.0 * outcome.wasted_share()));
        }
        Ok(points)
    })?;
    Ok(Panel {
        title: "Work for users who had left, by the load".to_owned(),
        x: Axis::linear("requests that come, as a share of what the workers bear", [0.25, 1.5], 5),
        y: Axis::linear("% of all work that is for nobody", [0.0, 100.0], 5),
        lines,
        shaded: None,
    })
}

/// The same, by how many leave early.
fn by_impatience() -> Result<Panel, String> {
    let lines = lines(|mode| {
        let mut points = Vec::new();
        for share in [0.0, 0.1, 0.2, 0.3, 0.4, 0.5] {
            let mut parameters = Parameters::new(mode);
            parameters.leave_early = share;
            parameters.hedge_after = Some(Duration::from_millis(350));
            let outcome = run(&parameters)?;
            told(&format!("hedged, {share} leave early"), mode, &outcome);
            points.push((100.0 * share, 100.0 * outcome.wasted_share()));
        }
        Ok(points)
    })?;
    Ok(Panel {
        title: "The same at half the load, by impatience".to_owned(),
        x: Axis::linear(
            "% who leave early; a second request goes out after 350 ms",
            [0.0, 50.0],
            5,
        ),
        y: Axis::linear("% of all work that is for nobody", [0.0, 10.0], 5),
        lines,
        shaded: None,
    })
}

/// An overload that passes, with so much load before and after it and so many retries of each user.
fn overloaded(mode: Mode, load: f64, retries: u32) -> Result<Outcome, String> {
    let mut parameters = Parameters::new(mode);
    parameters.retries = retries;
    let [from, to] = OVERLOAD;
    let load = |second| if (from..to).contains(&second) { 1.5 } else { load };
    parameters.rate = (0..SECONDS).map(|second| parameters.bears * load(second)).collect();
    run(&parameters)
}

/// The share of users who are answered of those that come in the last 30 seconds: whether it has recovered.
fn at_the_end(outcome: &Outcome) -> f64 {
    let last = |of: &[u64]| of.iter().rev().take(30).sum::<u64>() as f64;
    last(&outcome.answered) / last(&outcome.came).max(1.0)
}

/// Harder ones, of which the README says that nobody recovers from the last: printed and not drawn.
fn harder() -> Result<(), String> {
    for mode in Mode::ALL {
        for (load, retries) in [(0.5, 2), (0.7, 1), (0.7, 2)] {
            let outcome = overloaded(mode, load, retries)?;
            let at_the_end = 100.0 * at_the_end(&outcome);
            told(&format!("overload, load {load}, {retries} retries"), mode, &outcome);
            println!("{:32} {:24} {at_the_end:>6.1} % answered in the last 30 s", "", mode.name());
        }
    }
    Ok(())
}

/// Users who are answered, second by second, through an overload and after it.
fn overload() -> Result<Panel, String> {
    let lines = lines(|mode| {
        let outcome = overloaded(mode, 0.5, 1)?;
        told("overload, load 0.5, 1 retry", mode, &outcome);
        // Two seconds to a point.
        let both = outcome.answered.chunks(2).zip(outcome.came.chunks(2)).enumerate();
        Ok(both
            .map(|(n, (answered, came))| {
                let share =
                    answered.iter().sum::<u64>() as f64 / came.iter().sum::<u64>().max(1) as f64;
                (2.0 * n as f64, 100.0 * share)
            })
            .collect())
    })?;
    let [from, to] = OVERLOAD.map(|second| second as f64);
    Ok(Panel {
        title: "An overload that passes, and one retry by each user".to_owned(),
        x: Axis::linear("seconds", [0.0, SECONDS as f64], 5),
        y: Axis::linear("% of users who come that are answered", [0.0, 100.0], 5),
        lines,
        shaded: Some(([from, to], "1.5 times\nwhat workers\nbear".to_owned())),
    })
}

fn main() -> Result<(), String> {
    let panels = [by_load()?, by_impatience()?, overload()?];
    let source = "cargo run --release --manifest-path benches/Cargo.toml --features simulation --bin simulate: 4 levels, 2 calls each; \
                  log-normal service times, median 20 ms; patience 600 ms; static timeouts 1 s";
    let drawn = svg(&panels, 3, source).map_err(|error| error.to_string())?;
    fs::write(file(), drawn).map_err(|error| error.to_string())?;
    println!("written: docs/without-it.svg");
    harder()
}
