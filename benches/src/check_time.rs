//! What 200 annotated functions cost `cargo check`: crates that say the same in several styles, and how rustc's work for
//! them is measured. The program that runs as rustc's wrapper is this one: see [`ran_as_wrapper`].

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::report::{Goal, Part, Report, Runs};

const FUNCTIONS: usize = 200;
/// A style of writing the same crate.
#[derive(Debug)]
pub struct Style {
    /// What it is called.
    pub name: &'static str,
    dependencies: &'static str,
    source: fn() -> String,
}

/// All styles; the first is what the others are compared with.
pub const STYLES: [Style; 5] = [
    Style { name: "plain", dependencies: "", source: || functions("", "") },
    Style {
        name: "propagate",
        dependencies: "",
        source: || functions("use ctxprop::propagate;", "#[propagate]"),
    },
    Style {
        name: "instrument",
        dependencies: "tracing = \"0.1.41\"\n",
        source: || functions("", "#[tracing::instrument(skip_all)]"),
    },
    Style {
        name: "fastrace",
        dependencies: "fastrace = { version = \"0.7\", features = [\"enable\"] }\n",
        source: || functions("", "#[fastrace::trace]"),
    },
    Style { name: "async_trait", dependencies: "async-trait = \"0.1\"\n", source: methods },
];

/// A body as handlers have it: some awaits, a join, a match.
fn body(out: &mut String, n: usize, this: &str) {
    // Chains of ten: rustc computes the layout of a whole chain by recursion.
    let next = n + 1;
    let call = if !next.is_multiple_of(10) {
        format!("{this}f{next}(id + 1).await?")
    } else {
        "id".to_owned()
    };
    let _ = writeln!(
        out,
        "    let name = load(id).await?;
    let (a, b) = futures::join!(load(id), load(id + 1));
    let total = match a {{ Ok(a) => a.len() + b?.len(), Err(error) => return Err(error) }};
    if total > 10 {{ save(&name).await?; }}
    let deeper = {call};
    Ok(deeper + total as u64)
}}"
    );
}

const HELPERS: &str = "
pub struct Error;
impl From<ctxprop::Cancelled> for Error { fn from(_: ctxprop::Cancelled) -> Self { Error } }
pub async fn load(id: u64) -> Result<String, Error> { Ok(id.to_string()) }
pub async fn save(_name: &str) -> Result<(), Error> { Ok(()) }
";

fn functions(imports: &str, attribute: &str) -> String {
    let mut out = format!("{imports}\n{HELPERS}");
    for n in 0..FUNCTIONS {
        let _ = writeln!(out, "{attribute}\npub async fn f{n}(id: u64) -> Result<u64, Error> {{");
        body(&mut out, n, "");
    }
    out
}

fn methods() -> String {
    let mut out = format!("{HELPERS}\n#[async_trait::async_trait]\npub trait Service {{\n");
    for n in 0..FUNCTIONS {
        let _ = writeln!(out, "async fn f{n}(&self, id: u64) -> Result<u64, Error>;");
    }
    out.push_str("}\npub struct Real;\n#[async_trait::async_trait]\nimpl Service for Real {\n");
    for n in 0..FUNCTIONS {
        let _ = writeln!(out, "async fn f{n}(&self, id: u64) -> Result<u64, Error> {{");
        body(&mut out, n, "self.");
    }
    out.push_str("}\n");
    out
}

/// Writes the crate of a style.
///
/// # Panics
///
/// Where the disk is full, as all here.
pub fn write(dir: &Path, style: &Style) {
    let ctxprop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ctxprop");
    let manifest = format!(
        "[package]\nname = \"check-{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         ctxprop = {{ path = {ctxprop:?} }}\nfutures = \"0.3\"\n{}",
        style.name, style.dependencies
    );
    fs::create_dir_all(dir.join("src")).expect("a folder");
    fs::write(dir.join("Cargo.toml"), manifest).expect("a manifest");
    fs::write(dir.join("src/lib.rs"), (style.source)()).expect("a source");
}

/// `cargo check` of the crate alone.
///
/// # Panics
///
/// Where its source cannot be written.
#[must_use]
pub fn cargo_check(dir: &Path, target: &Path) -> Command {
    let lib = dir.join("src/lib.rs");
    // Anew: cargo looks at the time of the last change.
    fs::write(&lib, fs::read(&lib).expect("its source")).expect("a source");
    let mut cargo = Command::new("cargo");
    cargo.args(["check", "--quiet"]).current_dir(dir);
    cargo.env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
    cargo
}

/// How long it takes.
///
/// # Panics
///
/// Where it does not compile.
#[must_use]
pub fn run(mut cargo: Command) -> Duration {
    let start = Instant::now();
    assert!(cargo.status().expect("cargo").success(), "it does not compile: {cargo:?}");
    start.elapsed()
}

/// Set where this program is the wrapper of rustc: the folder for what valgrind says.
const COUNT_INTO: &str = "CHECK_TIME_COUNT_INTO";

/// As the wrapper of rustc: runs the command that cargo gives under valgrind, and gives how that ended.
#[must_use]
pub fn ran_as_wrapper() -> Option<ExitCode> {
    let logs = env::var(COUNT_INTO).ok()?;
    Some(count(&logs))
}

fn count(logs: &str) -> ExitCode {
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=yes"])
        .arg(format!("--log-file={logs}/%p"))
        .args(env::args_os().skip(1))
        .status();
    if status.expect("valgrind").success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Millions of instructions that rustc executes for the crate, what starts it included.
///
/// # Panics
///
/// Where it does not compile, or valgrind says nothing.
#[must_use]
pub fn millions(dir: &Path, target: &Path) -> f64 {
    let logs = dir.join("logs");
    drop(fs::remove_dir_all(&logs));
    fs::create_dir_all(&logs).expect("a folder");
    let mut cargo = cargo_check(dir, target);
    // The wrapper is for the crate at hand, not for what it depends on.
    let this = env::current_exe().expect("this program");
    cargo.env("RUSTC_WORKSPACE_WRAPPER", this).env(COUNT_INTO, &logs);
    let _ = run(cargo);
    // A process for each question of cargo's, and the one that checks.
    let counts = fs::read_dir(&logs).expect("the folder").map(|log| {
        let text = fs::read_to_string(log.expect("a log").path()).expect("its text");
        let count = text.lines().find_map(|line| line.split_once("Collected :"));
        count.map_or(0, |(_, count)| count.trim().parse().expect("a number"))
    });
    let most: u64 = counts.max().expect("valgrind, and what it says");
    most as f64 / 1e6
}

/// Where the crates are.
#[must_use]
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/check-time")
}

/// This file's part: the two styles that matter most; the program `check-time` has them all.
pub const PART: Part = Part { name: "check", runs: Runs::Whole, cases: &[], measure };

fn measure(report: &mut Report) -> Result<(), String> {
    if !report.valgrind {
        return Ok(());
    }
    let counted = |style: &Style| {
        let (dir, target) = (home().join(style.name), home().join("target"));
        write(&dir, style);
        let _ = run(cargo_check(&dir, &target));
        millions(&dir, &target)
    };
    let (plain, ours) = (counted(&STYLES[0]), counted(&STYLES[1]));
    let name = "cargo check of 200 functions, million instructions, peer plain";
    report.measured(name, ours, Some(plain), Goal::Ratio(1.5));
    Ok(())
}
