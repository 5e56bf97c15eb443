//! A call of a function that takes its context now: one argument more, in front.

use super::{Case, Mend, context};
use crate::edit::Edit;
use crate::project::Project;
use crate::report::MendKind;
use crate::tokens;

pub(crate) fn mend(case: &Case<'_>, project: &Project) -> Option<Mend> {
    if case.error.code() != "E0061" {
        return None;
    }
    let row = &case.index().tokens;
    let from = tokens::first_from(row, case.span.byte_start);
    let to = tokens::first_from(row, case.span.byte_end);
    let (at, (open, close)) = (from..to.max(from + 1)).find_map(|at| {
        let name = row.get(at)?.ident()?;
        let takes_one = project.sources.values().any(|source| {
            source.index.functions.iter().any(|function| {
                function.name == name
                    && function.context.as_ref().is_some_and(|context| !context.by_reference)
                    && source.index.ours(function).is_some()
            })
        });
        let call = tokens::arguments(row, at)?;
        takes_one.then_some((at, call))
    })?;
    let mut context = context::at(case.source, row[at].range.start);
    let comma = if close > open + 1 { ", " } else { "" };
    let mut edits: Vec<_> = context.first.take().into_iter().collect();
    edits.push(Edit::insert(row[open].range.end, format!("{}{comma}", context.owned)));
    Some(Mend {
        path: case.path.to_owned(),
        kind: MendKind::Argument,
        edits,
        names: context.names,
        note: context.note.map(str::to_owned),
    })
}
