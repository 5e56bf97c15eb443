//! Exact counts: the program runs itself under valgrind, once for each case and each of two numbers of rounds, and the
//! difference is what a round costs. What a case does before its rounds cancels out.

use std::env;
use std::process::{Command, Stdio};
use std::thread;

/// A case: its name, and what runs so many rounds of it.
pub type Case = (&'static str, fn(u64));

/// As a child of itself: runs the case that the command line names, and tells so.
#[must_use]
pub fn ran_as_child(cases: &[Case]) -> bool {
    let args: Vec<_> = env::args().collect();
    let [_, flag, name, rounds] = &args[..] else { return false };
    let (Some((_, run)), Ok(rounds)) =
        (cases.iter().find(|(case, _)| flag == "--case" && case == name), rounds.parse())
    else {
        return false;
    };
    counted_rounds(*run, rounds);
    true
}

/// All that is counted happens in here: the name is given to valgrind.
#[inline(never)]
fn counted_rounds(run: fn(u64), rounds: u64) {
    run(rounds);
}

/// The instructions of one round of `case`, from two numbers of rounds.
///
/// # Errors
///
/// Where valgrind is missing or does not tell.
pub fn instructions(case: Case, rounds: [u64; 2]) -> Result<f64, String> {
    let tool =
        ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_rounds*"];
    per_round(case, rounds, &tool, "Collected :")
}

/// The allocations of one round, from two numbers of rounds.
///
/// # Errors
///
/// As [`instructions`].
pub fn allocations(case: Case, rounds: [u64; 2]) -> Result<f64, String> {
    per_round(case, rounds, &["--tool=memcheck", "--leak-check=no"], "total heap usage:")
}

/// The bytes that one round allocates, from two numbers of rounds.
///
/// # Errors
///
/// As [`instructions`].
pub fn allocated_bytes(case: Case, rounds: [u64; 2]) -> Result<f64, String> {
    per_round(case, rounds, &["--tool=memcheck", "--leak-check=no"], "frees, ")
}

/// Whether valgrind can be run.
#[must_use]
pub fn valgrind_is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|said| said.status.success())
}

fn per_round((name, _): Case, rounds: [u64; 2], tool: &[&str], label: &str) -> Result<f64, String> {
    // Both at once: what is counted does not depend on what else the machine does, and it has another core.
    let [few, many] = thread::scope(|scope| {
        let counting = rounds.map(|rounds| scope.spawn(move || counted(name, rounds, tool, label)));
        counting.map(|counted| counted.join().unwrap_or_else(|_| Err("it panicked".to_owned())))
    });
    Ok(many?.saturating_sub(few?) as f64 / (rounds[1] - rounds[0]) as f64)
}

/// The number behind `label` in what valgrind says of one run.
fn counted(case: &str, rounds: u64, tool: &[&str], label: &str) -> Result<u64, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(tool)
        .arg(this)
        .args(["--case", case, &rounds.to_string()])
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let number = said.split_once(label).map(|(_, rest)| rest.trim_start());
    let digits = number.map(|number| number.split([' ', '\n']).next().unwrap_or(number));
    let count = digits.and_then(|digits| digits.replace(',', "").parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind said: {said}"))
}
