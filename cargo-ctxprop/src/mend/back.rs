//! Takes back what did not help: `.with(..)` or `.in_current()` on what needs no context, an attribute on a function that is another macro's.

use std::ops::Range;

use super::{Case, Mend};
use crate::edit::Edit;
use crate::report::MendKind;
use crate::tokens;

/// Part of what the core says of a function that has become no `async fn` before `#[propagate]` sees it.
const ONLY_RETURNS: &str = "this function only returns a future";

pub(crate) fn mend(case: &Case<'_>) -> Option<Mend> {
    superfluous_context(case).or_else(|| another_macros(case))
}

/// What we wrote, where there is no such method.
fn superfluous_context(case: &Case<'_>) -> Option<Mend> {
    let of = |name| case.error.message.contains(name);
    if !of("method named `with`")
        && !of("method `with`")
        && !of("method named `in_current`")
        && !of("method `in_current`")
    {
        return None;
    }
    let row = &case.index().tokens;
    let name = tokens::first_from(row, case.span.byte_start);
    let dot = name.checked_sub(1)?;
    let (_, close) = tokens::arguments(row, name)?;
    let whole = row[dot].range.start..row[close].range.end;
    let text = case.source.text.get(whole.clone())?;
    if text != ".in_current()"
        && (!text.starts_with(".with(")
            || !text.contains("Ctx::") && !text.contains("&ctx)") && !text.contains("(ctx)"))
    {
        return None;
    }
    Some(back(case, vec![Edit::remove(whole)], "a context was of no use here"))
}

/// An attribute of ours on a function that another attribute made its own.
fn another_macros(case: &Case<'_>) -> Option<Mend> {
    if !case.error.message.contains(ONLY_RETURNS) {
        return None;
    }
    let index = case.index();
    let function = &index.functions[index.function_at(case.span.byte_start)?];
    let attr = function.place.attr("propagate")?;
    let note = format!(
        "`{}` is what another attribute makes of it, so no context reaches it",
        function.name
    );
    Some(back(case, vec![Edit::remove(with_its_line(case, &attr.range))], &note))
}

fn back(case: &Case<'_>, edits: Vec<Edit>, note: &str) -> Mend {
    Mend {
        path: case.path.to_owned(),
        kind: MendKind::TakenBack,
        edits,
        names: Vec::new(),
        note: Some(note.to_owned()),
    }
}

/// `range` and the white space behind it.
pub(crate) fn with_its_line(case: &Case<'_>, range: &Range<usize>) -> Range<usize> {
    let rest = case.source.text.get(range.end..).unwrap_or_default();
    range.start..range.end + (rest.len() - rest.trim_start().len())
}
