//! The second step: from what the compiler says to edits. One file for each kind of error that is understood.
//!
//! # Invariants
//! 1. A place that was mended once is not mended in the same way again: what does not help is left and listed.
//! 2. All edits of a round are made on the text that the compiler saw.

mod call;
mod context;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::check::{Diagnostic, Said, Span};
use crate::edit::{Edit, Edits, line};
use crate::index::Index;
use crate::project::{Project, Source};
use crate::report::{Kind, Mark, Report};

/// What one error leads to, in one file.
#[derive(Debug)]
pub(crate) struct Mend {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) edits: Vec<Edit>,
    /// The names of ctxprop that the edits use.
    pub(crate) names: Vec<&'static str>,
    /// What somebody should look at, if anything.
    pub(crate) note: Option<String>,
}

/// What is known of the whole workspace.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Functions that need a context, by name.
    pub(crate) needing: BTreeSet<String>,
}

impl Known {
    fn of(project: &Project) -> Known {
        let mut known = Known::default();
        for source in project.sources.values() {
            for function in &source.index.functions {
                if function.context.is_none() && source.index.ours(function).is_some() {
                    known.needing.insert(function.name.clone());
                }
            }
        }
        known
    }
}

/// One error in one file of the project.
pub(crate) struct Case<'a> {
    pub(crate) error: &'a Diagnostic,
    pub(crate) path: &'a Path,
    pub(crate) source: &'a Source,
    pub(crate) span: &'a Span,
    pub(crate) known: &'a Known,
}

impl Case<'_> {
    pub(crate) fn index(&self) -> &Index {
        &self.source.index
    }
}

/// Does what can be done about the errors of a run. Whether anything was.
pub(crate) fn all(project: &mut Project, said: &Said, report: &mut Report) -> bool {
    let known = Known::of(project);
    let mut edits: BTreeMap<PathBuf, Edits> = BTreeMap::new();
    let mut made = Vec::new();
    for error in &said.errors {
        for mend in mends(project, error, &known) {
            let Some(source) = project.sources.get_mut(&mend.path) else { continue };
            let Some(first) = mend.edits.first().map(|edit| edit.range.start) else { continue };
            if !edits.entry(mend.path.clone()).or_default().add(mend.edits.clone()) {
                continue;
            }
            for name in &mend.names {
                source.want(first, name);
            }
            made.push((mend, first));
        }
    }
    let mut changed = false;
    for (path, edits) in edits {
        let Some(source) = project.sources.get_mut(&path) else { continue };
        if edits.is_empty() {
            continue;
        }
        if let Err(error) = source.apply(edits, report.marks(&path)) {
            report.left(&path, 1, format!("mended, the file is no Rust: {error}"));
            made.retain(|(mend, _)| mend.path != path);
            continue;
        }
        changed = true;
    }
    for (mend, first) in made {
        report.count(mend.kind);
        if let Some(text) = mend.note {
            report.marks.push(Mark { path: mend.path, at: first, kind: mend.kind, text });
        }
    }
    changed
}

fn mends(project: &Project, error: &Diagnostic, known: &Known) -> Vec<Mend> {
    let mut mends = Vec::new();
    for span in error.primary() {
        let path = Path::new(&span.file_name);
        let Some(source) = project.sources.get(path) else { continue };
        let case = Case { error, path, source, span, known };
        if let Some(mend) = call::mend(&case) {
            mends.push(mend);
        }
    }
    mends
}
