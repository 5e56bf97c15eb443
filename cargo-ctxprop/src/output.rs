//! What is printed: a diff, or how much there is to do; and the report of what is for somebody to look at.

use std::fs;
use std::path::Path;

use similar::TextDiff;

use crate::edit::line;
use crate::error::Error;
use crate::migrate::Migration;
use crate::report::MendKind;

/// A diff of all files that change, as `diff -u` writes it.
pub(crate) fn diff(migration: &Migration) -> String {
    let mut text = String::new();
    for (path, before, after) in changes(migration) {
        if before != after {
            let (a, b) = (format!("a/{}", path.display()), format!("b/{}", path.display()));
            let diff = TextDiff::from_lines(before, after);
            text.push_str(&diff.unified_diff().context_radius(3).header(&a, &b).to_string());
        }
    }
    text
}

/// Writes all files that change to where the copy was taken from.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(migration: &Migration) -> Result<(), Error> {
    let root = &migration.metadata.workspace_root;
    for (path, before, after) in changes(migration) {
        if before != after {
            let path = root.join(path);
            fs::write(&path, after).map_err(Error::file(path))?;
        }
    }
    Ok(())
}

fn changes(migration: &Migration) -> impl Iterator<Item = (&Path, &str, &str)> {
    let manifests = migration.manifests.iter();
    let sources = migration.project.sources.iter();
    manifests
        .map(|(path, (before, after))| (path.as_path(), before.as_str(), after.as_str()))
        .chain(
            sources.map(|(path, source)| {
                (path.as_path(), source.original.as_str(), source.text.as_str())
            }),
        )
}

/// What was done, what is to be looked at, what is left.
pub(crate) fn report(migration: &Migration) -> String {
    let report = &migration.report;
    let mut text = String::new();
    let files = changes(migration).filter(|(_, before, after)| before != after).count();
    line_of(&mut text, report.annotated, "functions annotated");
    line_of(&mut text, files, "files changed");
    let first: usize = report.at_once.values().sum();
    line_of(&mut text, first, "errors before the first mend");
    for (kind, count) in &report.counts {
        line_of(&mut text, *count, &kind.to_string());
    }
    line_of(&mut text, report.rounds, "runs of cargo check after annotating");
    line_of(&mut text, report.warnings.0, "warnings before");
    line_of(&mut text, report.warnings.1, "warnings after");
    line_of(&mut text, report.left.len(), "places left");
    section(&mut text, "To decide", places(migration, |kind| kind == MendKind::Rule));
    section(
        &mut text,
        "To look at",
        places(migration, |kind| kind != MendKind::Rule && kind != MendKind::Yours),
    );
    section(
        &mut text,
        "To do, for it to take effect",
        places(migration, |kind| kind == MendKind::Yours),
    );
    let new = report.new_warnings.iter().map(|left| {
        (left.path.display().to_string(), left.line, left.text.lines().next().unwrap_or_default())
    });
    section(&mut text, "Warnings that are new", new.collect());
    let left = report.left.iter().map(|left| {
        (left.path.display().to_string(), left.line, left.text.lines().next().unwrap_or_default())
    });
    section(&mut text, "Not understood, and left to you", left.collect());
    text
}

fn places(
    migration: &Migration,
    is_meant: impl Fn(MendKind) -> bool,
) -> Vec<(String, usize, &str)> {
    let marks = migration.report.marks.iter().filter(|mark| is_meant(mark.kind));
    marks
        .map(|mark| {
            let source = migration.project.sources.get(&mark.path);
            let number = source.map_or(0, |source| line(&source.text, mark.at));
            (mark.path.display().to_string(), number, mark.text.as_str())
        })
        .collect()
}

fn section(text: &mut String, title: &str, mut rows: Vec<(String, usize, &str)>) {
    if rows.is_empty() {
        return;
    }
    rows.sort();
    rows.dedup();
    text.push_str(&format!("\n{title}:\n"));
    for (path, number, says) in rows {
        text.push_str(&format!("  {path}:{number}: {says}\n"));
    }
}

fn line_of(text: &mut String, count: usize, what: &str) {
    text.push_str(&format!("{count:>6}  {what}\n"));
}
