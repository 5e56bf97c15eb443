//! `cargo check` and what it says.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::thread;

use serde::Deserialize;

use crate::copy::Copy;
use crate::error::Error;
use crate::metadata;

/// What is checked: features and packages, as cargo's own options.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeatureSet {
    pub(crate) options: Vec<OsString>,
}

/// What one run said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// It ended without an error.
    pub(crate) success: bool,
    /// What cargo itself wrote, for when it failed before it compiled anything.
    pub(crate) stderr: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Diagnostic {
    pub(crate) message: String,
    pub(crate) code: Option<Code>,
    pub(crate) level: String,
    pub(crate) spans: Vec<Span>,
    pub(crate) children: Vec<Child>,
    pub(crate) rendered: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Code {
    pub(crate) code: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Span {
    pub(crate) file_name: String,
    pub(crate) byte_start: usize,
    pub(crate) byte_end: usize,
    pub(crate) line_start: usize,
    pub(crate) is_primary: bool,
    pub(crate) label: Option<String>,
    pub(crate) suggested_replacement: Option<String>,
    pub(crate) expansion: Option<Box<Expansion>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Expansion {
    pub(crate) span: Span,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Child {
    pub(crate) message: String,
    pub(crate) spans: Vec<Span>,
}

impl Diagnostic {
    pub(crate) fn code(&self) -> &str {
        self.code.as_ref().map_or("", |code| &code.code)
    }

    /// All that it says, headline, labels and notes.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let labels = self.spans.iter().filter_map(|span| span.label.as_deref());
        let notes = self.children.iter().map(|child| child.message.as_str());
        std::iter::once(self.message.as_str()).chain(labels).chain(notes)
    }

    /// The places it is about, each as where in the user's files it was written, which for what a macro made is the call
    /// of the macro.
    pub(crate) fn primary(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| span.is_primary).map(Span::written)
    }

    /// What tells it from another; targets that share a file report twice.
    fn key(&self) -> (String, Option<(String, usize, usize)>) {
        let place = self
            .primary()
            .next()
            .map(|span| (span.file_name.clone(), span.byte_start, span.byte_end));
        (self.message.clone(), place)
    }
}

impl Span {
    pub(crate) fn written(&self) -> &Span {
        let mut span = self;
        while let Some(expansion) = &span.expansion
            && Path::new(&span.file_name).is_absolute()
        {
            span = &expansion.span;
        }
        span
    }
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    message: Option<Diagnostic>,
}

/// Runs it in the copy, over all targets.
///
/// # Errors
/// Cargo cannot be run.
pub(crate) fn run(copy: &Copy, set: &FeatureSet, packages: &[String]) -> Result<Said, Error> {
    let mut command = metadata::cargo();
    command.args(["check", "--all-targets", "--keep-going", "--message-format=json"]);
    if packages.is_empty() {
        command.arg("--workspace");
    }
    let mut child = command
        .args(packages.iter().flat_map(|name| ["-p", name]))
        .args(&set.options)
        .current_dir(&copy.root)
        .env("CARGO_TARGET_DIR", &copy.target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::Cargo)?;
    // Both pipes are read at once, or a full one would stop cargo.
    let errors = child.stderr.take().map(|mut pipe| {
        thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        })
    });
    let mut said = Said::default();
    let mut known = BTreeSet::new();
    for line in child.stdout.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
        let line = line.map_err(Error::Cargo)?;
        // A line that is no message of cargo's was printed by a build script of old habits.
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        let Some(diagnostic) = message.message.filter(|_| message.reason == "compiler-message")
        else {
            continue;
        };
        if !known.insert(diagnostic.key()) {
            continue;
        }
        match diagnostic.level.as_str() {
            "error" | "error: internal compiler error" => said.errors.push(diagnostic),
            "warning" => said.warnings.push(diagnostic),
            _ => {}
        }
    }
    if let Some(Ok(Ok(text))) = errors.map(thread::JoinHandle::join) {
        said.stderr = text;
    }
    said.success = child.wait().map_err(Error::Cargo)?.success();
    // "aborting due to 2 previous errors", "3 warnings emitted": about no place
    said.errors.retain(|error| !error.spans.is_empty() || !error.message.starts_with("aborting"));
    said.warnings.retain(|warning| !warning.spans.is_empty());
    Ok(said)
}

impl Diagnostic {
    /// Its file and what it says, which stay when lines move.
    pub(crate) fn named(&self) -> (String, String) {
        let path = self.primary().next().map(|span| span.file_name.clone());
        (path.unwrap_or_default(), self.message.clone())
    }

    /// As rustc writes it.
    pub(crate) fn text(&self) -> Option<&str> {
        self.rendered.as_deref()
    }
}

impl FeatureSet {
    /// Of options in one text.
    pub(crate) fn of(text: &str) -> FeatureSet {
        FeatureSet { options: text.split_whitespace().map(OsString::from).collect() }
    }
}
