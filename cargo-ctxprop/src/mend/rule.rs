//! A rule of `#[propagate]` fired. Whether the finding is right is for somebody to decide, so the statement is let as it is,
//! with an `allow` that says so, and listed.

use super::{Case, Mend};
use crate::edit::{Edit, indent};
use crate::report::MendKind;

/// What the `allow` says, and what to search for afterwards.
const REASON: &str = "as before the migration: to be decided";

pub(crate) fn mend(case: &Case<'_>) -> Option<Mend> {
    let rule = rule(&case.error.message)?;
    let statement = case.index().statement_at(case.span.byte_start)?;
    let name = case.source.written(statement.start, "propagate");
    let attribute = format!("#[{name}(allow({rule}, reason = \"{REASON}\"))]");
    if case.source.text.get(statement.clone()).is_some_and(|text| text.starts_with(&attribute)) {
        return None;
    }
    let text = match indent(&case.source.text, statement.start) {
        Some(indent) => format!("{attribute}\n{indent}"),
        None => format!("{attribute} "),
    };
    let says = case.error.message.lines().next().unwrap_or_default();
    Some(Mend {
        path: case.path.to_owned(),
        kind: MendKind::Rule,
        edits: vec![Edit::insert(statement.start, text)],
        names: vec!["propagate"],
        note: Some(says.to_owned()),
    })
}

/// The rule that a message begins with, `[detached-task] ..`, as an `allow` names it.
pub(crate) fn rule(message: &str) -> Option<String> {
    let (name, _) = message.strip_prefix('[')?.split_once(']')?;
    let is_rule = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    is_rule.then(|| name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn rules_are_told_by_the_first_word() {
        assert_eq!(super::rule("[detached-task] `tokio::spawn`").as_deref(), Some("detached_task"));
        assert_eq!(super::rule("[1] is no rule"), None);
        assert_eq!(super::rule("`NeedsCtx` is not a future"), None);
    }
}
