//! Exact instruction counts: the program runs itself under `valgrind --tool=callgrind`, once for each case and each
//! of two numbers of rounds, and the difference is what a round costs. What a case does before its rounds cancels out.

use std::env;
use std::process::{Command, Stdio};

/// A case: its name, and what runs so many rounds of it.
pub type Case = (&'static str, fn(u64));

const ROUNDS: [u64; 2] = [1_000, 11_000];

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

/// The instructions of one round of `case`.
///
/// # Errors
///
/// Where valgrind is missing or does not tell.
pub fn per_round((name, _): Case) -> Result<f64, String> {
    let [few, many] = ROUNDS;
    let more = counted(name, many)?.saturating_sub(counted(name, few)?);
    Ok(more as f64 / (many - few) as f64)
}

fn counted(case: &str, rounds: u64) -> Result<u64, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*counted_rounds*")
        .arg(this)
        .args(["--case", case, &rounds.to_string()])
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count =
        said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count);
    let count = count.and_then(|count| count.trim().parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind said: {said}"))
}
