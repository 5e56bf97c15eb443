//! What ctxprop costs, beside its peers, in one table: `what | ours | peer | ratio | goal | holds`.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin report [-- OPTIONS]
//! ```
//!
//! `--json` prints JSON lines. `--only NAME` runs one part. `--check` runs the cheap parts, and fails where an instruction,
//! an allocation or a byte is more than 5 % over the number that `benches/budget.toml` keeps; `--keep` runs the same and
//! writes that file. What is counted is counted by valgrind (Debian: `apt-get install valgrind`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use ctxprop_benches::PARTS;
use ctxprop_benches::check_time::ran_as_wrapper;
use ctxprop_benches::instructions::{Case, ran_as_child, valgrind_is_there};
use ctxprop_benches::report::{HEAD, Part, Report, Row, Runs};

const USAGE: &str = "usage: report [--json] [--only NAME] [--check | --keep]";

/// What a count may be more than the kept one.
const MORE: f64 = 1.05;

#[derive(Debug, Default)]
struct Options {
    json: bool,
    only: Option<String>,
    check: bool,
    keep: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(arg) = args.next() {
            match &*arg {
                "--json" => options.json = true,
                "--check" => options.check = true,
                "--keep" => options.keep = true,
                "--only" => options.only = Some(args.next().ok_or(USAGE)?),
                _ => return Err(format!("{arg:?} is no option\n{USAGE}")),
            }
        }
        if options.check && options.keep { Err(USAGE.to_owned()) } else { Ok(options) }
    }

    fn runs(&self, part: &Part) -> bool {
        match &self.only {
            Some(only) => part.name == only,
            None if self.check || self.keep => part.runs == Runs::Cheap,
            None => part.runs != Runs::OnDemand,
        }
    }
}

fn budget_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("budget.toml")
}

fn keep(rows: &[Row]) -> Result<(), String> {
    let mut text = "# What the cheap parts of the report counted: `report --keep` writes it, `report --check` holds to it.\n"
        .to_owned();
    for row in rows.iter().filter(|row| row.counted) {
        writeln!(text, "{:?} = {:.1}", row.name, row.ours).map_err(|error| error.to_string())?;
    }
    fs::write(budget_file(), text).map_err(|error| error.to_string())
}

/// The rows that cost too much, or of which nothing is kept.
fn too_much(rows: &[Row], whole: bool) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(budget_file()).map_err(|error| error.to_string())?;
    let kept: BTreeMap<String, f64> = toml::from_str(&text).map_err(|error| error.to_string())?;
    let mut faults = Vec::new();
    for row in rows.iter().filter(|row| row.counted) {
        match kept.get(&row.name) {
            Some(most) if row.ours <= most * MORE => {}
            Some(most) => faults.push(format!("{}: {:.1}, and {most} is kept", row.name, row.ours)),
            None => faults.push(format!("{}: not in budget.toml, run `report --keep`", row.name)),
        }
    }
    // What is kept and no more measured would be held to by nobody.
    let gone = kept.keys().filter(|name| whole && rows.iter().all(|row| row.name != **name));
    faults.extend(gone.map(|name| format!("{name}: kept, and not measured")));
    Ok(faults)
}

fn main() -> Result<ExitCode, String> {
    if let Some(code) = ran_as_wrapper() {
        return Ok(code);
    }
    let cases: Vec<Case> = PARTS.iter().flat_map(|part| part.cases).copied().collect();
    if ran_as_child(&cases) {
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::parse(env::args().skip(1))?;
    let parts: Vec<_> = PARTS.iter().filter(|part| options.runs(part)).collect();
    if parts.is_empty() {
        let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        return Err(format!("no such part: there are {}", names.join(", ")));
    }
    let mut report = Report { json: options.json, valgrind: valgrind_is_there(), rows: Vec::new() };
    if !report.valgrind {
        eprintln!("no valgrind here: rows that it counts are left out (apt-get install valgrind)");
        if options.check || options.keep {
            return Ok(ExitCode::FAILURE);
        }
    }
    if !options.json {
        println!("{HEAD}");
    }
    for part in parts {
        (part.measure)(&mut report).map_err(|error| format!("{}: {error}", part.name))?;
    }
    if options.keep {
        keep(&report.rows)?;
    }
    if options.check {
        let faults = too_much(&report.rows, options.only.is_none())?;
        for fault in &faults {
            eprintln!("{fault}");
        }
        if !faults.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
