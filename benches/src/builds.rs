//! What a dependency on ctxprop costs those who build: crates, processor time, and bytes of a program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::crates::{Crate, children_seconds, home, ours};
use crate::report::{Goal, Part, Report, Runs};

const FUNCTIONS: usize = 100;

const FASTRACE: &str = "fastrace = { version = \"0.7\", features = [\"enable\"] }\n";
const INSTRUMENT: &str = "tracing = \"0.1.41\"\n";

/// What each program of functions has in common.
const HELPERS: &str = "
pub struct Error;
impl From<ctxprop::Cancelled> for Error { fn from(_: ctxprop::Cancelled) -> Self { Error } }
#[inline(never)]
pub async fn load(id: u64) -> Result<String, Error> { Ok(std::hint::black_box(id).to_string()) }
#[inline(never)]
pub async fn save(name: &str) -> Result<(), Error> { std::hint::black_box(name); Ok(()) }
fn run<F: std::future::Future>(future: F) {
    let mut future = Box::pin(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while std::hint::black_box(future.as_mut().poll(&mut context)).is_pending() {}
}
";

/// A program of so many functions, each called once by another one.
fn functions(count: usize, attribute: &str, given: &str) -> String {
    let mut out = HELPERS.to_owned();
    for n in 0..count {
        let _ = writeln!(
            out,
            "{attribute}\nasync fn f{n}(id: u64) -> Result<u64, Error> {{\n\
                 let name = load(id).await?;\n\
                 if name.len() > {n} {{ save(&name).await?; }}\n\
                 Ok(name.len() as u64 + {n})\n}}"
        );
    }
    let _ = writeln!(out, "{attribute}\nasync fn all() -> Result<u64, Error> {{\nlet mut sum = 0;");
    for n in 0..count {
        let _ = writeln!(out, "sum += f{n}({n}).await?;");
    }
    out.push_str("Ok(sum)\n}\nfn main() {\n    use ctxprop::Background as _;\n");
    let _ = writeln!(
        out,
        "let ctx = ctxprop::Ctx::background();\nlet _ = &ctx;\nrun(all(){given});\n}}"
    );
    out
}

/// The bytes of machine code in a program.
fn text(program: &Path) -> Result<f64, String> {
    let said = Command::new("size").arg("-A").arg(program).output();
    let said = said.map_err(|error| format!("size, of binutils: {error}"))?;
    let said = String::from_utf8_lossy(&said.stdout);
    let line = said.lines().find_map(|line| line.strip_prefix(".text"));
    let bytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    bytes.ok_or_else(|| format!("size said: {said}"))
}

/// The machine code of one function of a style.
fn text_each(style: &str, dependencies: &str, attribute: &str, given: &str) -> Result<f64, String> {
    let dependencies = ours("ctxprop", "") + dependencies;
    let size = |count: usize| {
        let name = format!("text-{style}-{count}");
        let program = Crate::write(&name, &dependencies, &functions(count, attribute, given))?
            .build("release", &home().join("target"))?;
        text(&program)
    };
    // The first one brings what all share.
    Ok((size(FUNCTIONS + 1)? - size(1)?) / FUNCTIONS as f64)
}

fn hello(layer: &str) -> String {
    format!(
        "#[tokio::main]\nasync fn main() -> std::io::Result<()> {{\n\
             let app = axum::Router::new().route(\"/\", axum::routing::get(|| async {{ \"hello\" }})){layer};\n\
             axum::serve(tokio::net::TcpListener::bind(\"127.0.0.1:0\").await?, app).await\n}}\n"
    )
}

const AXUM: &str = "axum = \"0.8.6\"\ntokio = { version = \"1.47\", features = [\"macros\", \"net\", \"rt-multi-thread\"] }\n";

/// A stripped program's bytes with each profile.
fn program(name: &str, dependencies: &str, layer: &str) -> Result<[f64; 2], String> {
    let written = Crate::write(name, &(AXUM.to_owned() + dependencies), &hello(layer))?;
    let target = home().join("target");
    let mut bytes = [0.0; 2];
    for (bytes, profile) in bytes.iter_mut().zip(["release", "small"]) {
        let program = written.build(profile, &target)?;
        *bytes = fs::metadata(program).map_err(|error| error.to_string())?.len() as f64;
    }
    Ok(bytes)
}

/// The processor seconds of a build from nothing.
fn clean_build(name: &str, dependencies: &str) -> Result<f64, String> {
    let target = home().join("clean");
    if target.exists() {
        fs::remove_dir_all(&target).map_err(|error| error.to_string())?;
    }
    let written = Crate::write(name, dependencies, "fn main() {}\n")?;
    let before = children_seconds()?;
    written.build("dev", &target)?;
    Ok(children_seconds()? - before)
}

/// What `ctxprop` depends on with default features, what its macros are built with included.
fn dependencies() -> Result<BTreeSet<String>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--package", "ctxprop", "--edges", "normal,build", "--prefix", "none"]);
    cargo.args(["--format", "{p}"]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let said = cargo.output().map_err(|error| error.to_string())?;
    if !said.status.success() {
        return Err(String::from_utf8_lossy(&said.stderr).into_owned());
    }
    let said = String::from_utf8_lossy(&said.stdout);
    let names = said.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|name| *name != "ctxprop").map(str::to_owned).collect())
}

/// Whether the architecture gives each of them, and nothing else, a reason.
fn listed(all: &BTreeSet<String>) -> Result<(), String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let page = fs::read_to_string(page).map_err(|error| error.to_string())?;
    let section = page.split("\n## ").find(|section| section.starts_with("Dependencies\n"));
    let rows = section.unwrap_or_default().lines().filter(|line| line.starts_with("| `"));
    // The first column and the last have the crates, between backquotes.
    let cells = rows.flat_map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        [1, 3].map(|at| cells.get(at).copied().unwrap_or_default())
    });
    let told: BTreeSet<String> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|code| code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .map(str::to_owned)
        .collect();
    let wrong: Vec<_> = all.symmetric_difference(&told).map(String::as_str).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => {
            Err(format!("the dependencies in ARCHITECTURE.md are not those there are: {wrong:?}"))
        }
    }
}

/// The four that nothing of the kind does without, as the core asks for them.
const FOUR: &str = "http = \"1.3\"\n\
    tokio = { version = \"1.47\", default-features = false, features = [\"rt\", \"time\"] }\n\
    tokio-util = { version = \"0.7.16\", default-features = false, features = [\"rt\"] }\n\
    tracing = { version = \"0.1.41\", default-features = false, features = [\"std\"] }\n";

/// This file's part.
pub const PART: Part = Part { name: "builds", runs: Runs::Whole, cases: &[], measure };

fn measure(report: &mut Report) -> Result<(), String> {
    let all = dependencies()?;
    listed(&all)?;
    report.measured("dependencies of ctxprop", all.len() as f64, None, Goal::AtMost(25.0));

    let plain = text_each("plain", "", "", "")?;
    let ours_each = text_each("propagate", "", "#[ctxprop::propagate]", ".with(&ctx)")?;
    let name = "text per #[propagate] function, bytes, peer plain";
    report.measured(name, ours_each, Some(plain), Goal::AtMost(1_300.0));
    let fastrace = text_each("fastrace", FASTRACE, "#[fastrace::trace]", "")?;
    report.measured("text per #[fastrace::trace], bytes", fastrace, Some(plain), Goal::None);
    let attribute = "#[tracing::instrument(skip_all)]";
    let instrument = text_each("instrument", INSTRUMENT, attribute, "")?;
    let name = "text per #[tracing::instrument], bytes";
    report.measured(name, instrument, Some(plain), Goal::None);

    let bare = program("hello-bare", "", "")?;
    let layer = ".layer(ctxprop_axum::CtxLayer::mesh())";
    let with = program("hello-ctxprop", &ours("ctxprop-axum", ""), layer)?;
    let layer = ".layer(fastrace_axum::FastraceLayer::default())";
    let theirs = format!("{FASTRACE}fastrace-axum = \"0.2\"\n");
    let theirs = program("hello-fastrace", &theirs, layer)?;
    for (at, profile, most) in [(0, "release", 150_000.0), (1, "LTO", 60_000.0)] {
        let name = format!("stripped axum hello over bare, {profile}, bytes, peer fastrace");
        let (ours, theirs) = (with[at] - bare[at], theirs[at] - bare[at]);
        report.measured(&name, ours, Some(theirs), Goal::AtMost(most));
    }

    let four = clean_build("clean-four", FOUR)?;
    let core = clean_build("clean-core", &ours("ctxprop", ", default-features = false"))?;
    let name = "clean build of the core without macros, CPU seconds, peer its four alone";
    report.measured(name, core, Some(four), Goal::Ratio(1.2));
    Ok(())
}
