//! What a migration did and what it left, for whoever ran it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// The kinds of mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MendKind {
    /// A call in a test or in `main` got a root.
    RootInEntry,
    /// A call in a function that nobody gives a context got a root.
    RootInPlain,
    /// A call in an annotated function, where the attribute does not reach, got its context.
    InCurrent,
    /// A call in the `impl` of a foreign trait got the current context.
    InForeign,
    /// A handler or a middleware takes its context as a parameter.
    Handler,
    /// A call of a function that takes its context now.
    Argument,
    /// A rule was switched off where it fired, for somebody to decide.
    Rule,
    /// The attribute was taken away again.
    TakenBack,
    /// A function that was passed as a value became a closure.
    Value,
    /// A closure took what it captures, and so the context.
    Moved,
    /// An import that nothing uses any more went.
    Import,
    /// Names are written with their path, since some features use none of them.
    ByPath,
    /// An example in docs that needs a context. It is not mended.
    Example,
    /// A router got the layer that makes contexts.
    Layer,
    /// An error type, a client or a server that stays as it is, for somebody to change.
    Yours,
}

impl fmt::Display for MendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MendKind::RootInEntry => "root in a test or `main`",
            MendKind::RootInPlain => "root in a function without the attribute",
            MendKind::InCurrent => "context given by hand in an annotated function",
            MendKind::InForeign => "current context in an `impl` of a foreign trait",
            MendKind::Handler => "handler or middleware that takes its context",
            MendKind::Argument => "context as an argument",
            MendKind::Rule => "rule switched off, to be decided",
            MendKind::TakenBack => "attribute taken back",
            MendKind::Value => "function value made a closure",
            MendKind::Moved => "closure made `move`",
            MendKind::Import => "import that nothing uses any more",
            MendKind::ByPath => "module whose names of ctxprop are written with their path",
            MendKind::Example => "example in docs that needs a context",
            MendKind::Layer => "layer that makes contexts",
            MendKind::Yours => "error type, client or server to change by hand",
        })
    }
}

/// Something to look at, at a place that moves with the edits before it.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) path: PathBuf,
    pub(crate) at: usize,
    pub(crate) kind: MendKind,
    pub(crate) text: String,
}

/// What is not understood, and for somebody to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Left {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) text: String,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) annotated: usize,
    /// Errors of the first check after annotating, by code.
    pub(crate) at_once: BTreeMap<String, usize>,
    /// Packages with handlers that take their context.
    pub(crate) serving: BTreeSet<usize>,
    pub(crate) counts: BTreeMap<MendKind, usize>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) left: Vec<Left>,
    pub(crate) warnings: (usize, usize),
    /// Warnings that the code had, by file and text: what is not among them is new.
    pub(crate) known_warnings: BTreeSet<(String, String)>,
    pub(crate) new_warnings: Vec<Left>,
    pub(crate) rounds: usize,
}

impl Report {
    pub(crate) fn count(&mut self, kind: MendKind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    pub(crate) fn left(&mut self, path: &Path, line: usize, text: String) {
        let left = Left { path: path.to_owned(), line, text };
        if !self.left.contains(&left) {
            self.left.push(left);
        }
    }

    /// The offsets of marks in a file, for what edits it.
    pub(crate) fn marks<'a>(&'a mut self, path: &'a Path) -> impl Iterator<Item = &'a mut usize> {
        self.marks.iter_mut().filter(move |mark| mark.path == path).map(|mark| &mut mark.at)
    }
}

impl Report {
    /// What remains of a run that nothing could be done about.
    pub(crate) fn leave(&mut self, said: &crate::check::Said) {
        for error in &said.errors {
            let place = error.primary().next();
            let (path, line) =
                place.map_or(("", 0), |span| (span.file_name.as_str(), span.line_start));
            let code =
                if error.code().is_empty() { String::new() } else { format!("{}: ", error.code()) };
            self.left(Path::new(path), line, format!("{code}{}", error.message));
        }
        self.warnings.1 += said.warnings.len();
        for warning in &said.warnings {
            if !self.known_warnings.contains(&warning.named()) {
                let place = warning.primary().next();
                let (path, line) =
                    place.map_or(("", 0), |span| (span.file_name.as_str(), span.line_start));
                let text = warning.message.clone();
                self.new_warnings.push(Left { path: path.into(), line, text });
            }
        }
        if !said.success && said.errors.is_empty() {
            self.left(Path::new("Cargo.toml"), 1, said.stderr.trim().to_owned());
        }
    }
}
