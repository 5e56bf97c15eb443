//! Imports that the migration made superfluous, or that only some features use.

use super::{Case, Mend};
use crate::edit::Edit;
use crate::report::MendKind;

/// What the migration takes the last use of.
const OUT_OF_USE: &[&str] = &["async_trait", "async_recursion", "Future"];

pub(crate) fn mend(case: &Case<'_>) -> Option<Mend> {
    let message = case.error.message.strip_prefix("unused import")?;
    if !case.error.code().contains("unused_imports") {
        return None;
    }
    let index = case.index();
    let module = &index.modules[index.module_at(case.span.byte_start)];
    let import =
        module.imports.iter().find(|import| import.range.contains(&case.span.byte_start))?;
    let edits = match &import.ours {
        Some(ours) => {
            let unused: Vec<_> =
                ours.iter().filter(|name| message.contains(&format!("{name}`"))).collect();
            // a trait is used without its name
            let called = index.tokens.iter().any(|token| token.ident() == Some("background"));
            if called && unused.iter().any(|name| *name == "Background") {
                return None;
            }
            by_path(case, &import.range, ours, &unused)
        }
        None => {
            let about = |name: &str| message.contains(&format!("{name}`"));
            if !OUT_OF_USE.iter().any(|name| about(name)) {
                return None;
            }
            superfluous(case, &import.range)?
        }
    };
    Some(Mend {
        path: case.path.to_owned(),
        kind: if import.ours.is_some() { MendKind::ByPath } else { MendKind::Import },
        edits,
        names: Vec::new(),
        note: None,
    })
}

/// Takes a whole `use` away, with its line, or the part that rustc says.
fn superfluous(case: &Case<'_>, whole: &std::ops::Range<usize>) -> Option<Vec<Edit>> {
    let text = &case.source.text;
    let suggestions = case.error.children.iter().flat_map(|child| &child.spans);
    let parts: Vec<_> = suggestions
        .filter(|span| span.suggested_replacement.as_deref() == Some(""))
        .map(|span| span.byte_start..span.byte_end)
        .collect();
    if parts.is_empty() {
        let line_end = text.get(whole.end..)?.find('\n').map_or(0, |at| at + 1);
        return Some(vec![Edit::remove(whole.start..whole.end + line_end)]);
    }
    Some(parts.into_iter().map(Edit::remove).collect())
}

/// Writes names of ours with their path where they are used in a module, and takes them out of the import.
fn by_path(
    case: &Case<'_>,
    import: &std::ops::Range<usize>,
    all: &[String],
    unused: &[&String],
) -> Vec<Edit> {
    let index = case.index();
    let here = index.module_at(import.start);
    let left: Vec<_> = all.iter().filter(|name| !unused.contains(name)).cloned().collect();
    let text = &case.source.text;
    let mut edits = Vec::new();
    if left.is_empty() {
        let line_end =
            text.get(import.end..).and_then(|rest| rest.find('\n')).map_or(0, |at| at + 1);
        // and the empty line that came with it
        let blank = text.get(import.end + line_end..).is_some_and(|rest| rest.starts_with('\n'));
        edits.push(Edit::remove(import.start..import.end + line_end + usize::from(blank)));
    } else {
        edits.push(Edit::replace(
            import.clone(),
            crate::project::line(left.iter().map(String::as_str)),
        ));
    }
    let row = &index.tokens;
    for (at, token) in row.iter().enumerate() {
        let Some(name) = token.ident() else { continue };
        let start = token.range.start;
        let pathed = at > 0 && row[at - 1].is_punct(':');
        if unused.iter().any(|unused| *unused == name)
            && !pathed
            && !import.contains(&start)
            && index.module_at(start) == here
        {
            edits.push(Edit::insert(start, "ctxprop::"));
        }
    }
    edits
}
