//! What 200 annotated functions cost `cargo check`, beside 200 plain ones, 200 with `#[tracing::instrument]` and 200
//! `#[async_trait]` methods. Each style is a crate of its own, checked in turns; the fastest of the rounds counts, since
//! noise only adds.
//!
//! `cargo run --release -p ctxprop-benches --bin check-time`

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const FUNCTIONS: usize = 200;
const ROUNDS: usize = 7;

/// A style: its name, its dependencies, and the crate.
struct Style {
    name: &'static str,
    dependencies: &'static str,
    source: fn() -> String,
}

const STYLES: [Style; 4] = [
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

fn write(dir: &Path, style: &Style) {
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

fn check(dir: &Path, target: &Path) -> Duration {
    let lib = dir.join("src/lib.rs");
    // Anew: cargo looks at the time of the last change.
    fs::write(&lib, fs::read(&lib).expect("its source")).expect("a source");
    let start = Instant::now();
    let status = Command::new("cargo")
        .args(["check", "--quiet"])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .status();
    assert!(status.expect("cargo").success(), "{} does not compile", dir.display());
    start.elapsed()
}

fn main() {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/check-time");
    let dirs: Vec<_> = STYLES.iter().map(|style| home.join(style.name)).collect();
    for (style, dir) in STYLES.iter().zip(&dirs) {
        write(dir, style);
        check(dir, &home.join("target"));
    }
    let mut fastest = [Duration::MAX; STYLES.len()];
    for _ in 0..ROUNDS {
        for (fastest, dir) in fastest.iter_mut().zip(&dirs) {
            *fastest = check(dir, &home.join("target")).min(*fastest);
        }
    }
    for (style, time) in STYLES.iter().zip(fastest) {
        let ratio = time.as_secs_f64() / fastest[0].as_secs_f64();
        println!("{:12} {time:8.2?}  {ratio:5.2} times plain", style.name);
    }
}
