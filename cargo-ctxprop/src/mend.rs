//! The second step: from what the compiler says to edits. One file for each kind of error that is understood.
//!
//! # Invariants
//! 1. A place that was mended once is not mended in the same way again: what does not help is left and listed.
//! 2. All edits of a round are made on the text that the compiler saw.

mod argument;
mod back;
mod call;
mod closure;
mod context;
mod handler;
mod import;
mod rule;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::check::{Diagnostic, Said, Span};
use crate::docs;
use crate::edit::{Edit, Edits};
use crate::index::Index;
use crate::project::{Project, Source};
use crate::report::{Mark, MendKind, Report};
use crate::tokens;

/// What one error leads to, in one file.
#[derive(Debug)]
pub(crate) struct Mend {
    pub(crate) path: PathBuf,
    pub(crate) kind: MendKind,
    pub(crate) edits: Vec<Edit>,
    /// The names of ctxprop that the edits use.
    pub(crate) names: Vec<&'static str>,
    /// What somebody should look at, if anything.
    pub(crate) note: Option<String>,
}

/// What is known of the whole workspace.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Functions that need a context, by name.
    pub(crate) needing: BTreeSet<String>,
}

/// One error in one file of the project.
pub(crate) struct Case<'a> {
    pub(crate) error: &'a Diagnostic,
    pub(crate) path: &'a Path,
    pub(crate) source: &'a Source,
    pub(crate) span: &'a Span,
    pub(crate) known: &'a Workspace,
}

impl Case<'_> {
    pub(crate) fn index(&self) -> &Index {
        &self.source.index
    }
}

/// Whether a token names a variable of the function around it.
fn is_local(case: &Case<'_>, at: usize) -> bool {
    let index = case.index();
    let Some(token) = index.tokens.get(at) else { return false };
    let function = index.function_around(token.range.start).map(|found| &index.functions[found]);
    function.is_some_and(|function| {
        function.body.as_ref().is_some_and(|body| {
            tokens::is_parameter(&index.tokens, function.fn_token..body.start, at)
                || tokens::is_local(&index.tokens, body.start, at)
        })
    })
}

/// Does what can be done about the errors of a run. Whether anything was.
pub(crate) fn all(project: &mut Project, said: &Said, report: &mut Report) -> bool {
    let known = Workspace { needing: docs::needing(project) };
    let mut edits: BTreeMap<PathBuf, Edits> = BTreeMap::new();
    let mut made: BTreeMap<PathBuf, Vec<Mend>> = BTreeMap::new();
    for error in said.errors.iter().chain(&said.warnings) {
        for mend in mends(project, error, &known, report) {
            let edits = edits.entry(mend.path.clone()).or_default();
            if !mend.edits.is_empty() && edits.add(mend.edits.clone()) {
                made.entry(mend.path.clone()).or_default().push(mend);
            }
        }
    }
    let mut changed = false;
    for (path, edits) in edits {
        let made = made.remove(&path).unwrap_or_default();
        let Some(source) = project.sources.get_mut(&path) else { continue };
        if edits.is_empty() {
            continue;
        }
        let before = report.marks.len();
        for mend in &made {
            let Some(at) = mend.edits.first().map(|edit| edit.range.start) else { continue };
            if mend.kind == MendKind::Handler {
                report.serving.insert(source.package);
            }
            if mend.kind == MendKind::ByPath {
                source.unwant(at);
            }
            for name in &mend.names {
                source.want(at, name);
            }
            if let Some(text) = &mend.note {
                let (path, text) = (path.clone(), text.clone());
                report.marks.push(Mark { path, at, kind: mend.kind, text });
            }
        }
        if let Err(error) = source.apply(edits, report.marks(&path)) {
            report.marks.truncate(before);
            report.left(&path, 1, format!("mended, the file is no Rust: {error}"));
            continue;
        }
        made.iter().for_each(|mend| report.count(mend.kind));
        changed = true;
    }
    changed
}

fn mends(project: &Project, error: &Diagnostic, known: &Workspace, report: &Report) -> Vec<Mend> {
    let mut mends = Vec::new();
    for span in error.primary() {
        let path = Path::new(&span.file_name);
        let Some(source) = project.sources.get(path) else { continue };
        let case = Case { error, path, source, span, known };
        let found = if error.level == "warning" || error.code() == "unused_imports" {
            import::mend(&case)
        } else {
            rule::mend(&case)
                .or_else(|| back::mend(&case))
                .or_else(|| handler::mend(&case, project))
                .or_else(|| argument::mend(&case, project))
                .or_else(|| closure::mend(&case))
                .or_else(|| call::mend(&case))
                .or_else(|| value::mend(&case, project))
        };
        // Invariant 1: where it was of no use it does not come again.
        mends.extend(found.filter(|mend| {
            !report.marks.iter().any(|mark| {
                mark.kind == MendKind::TakenBack
                    && mark.path == mend.path
                    && mend.edits.iter().any(|edit| edit.range.start == mark.at)
            })
        }));
    }
    mends
}
