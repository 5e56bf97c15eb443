//! Examples in docs, which `cargo check` does not compile: calls in them that need a context now are listed, and nothing more.

use std::collections::BTreeSet;

use crate::index::Index;
use crate::project::Project;
use crate::report::{Mark, MendKind, Report};
use crate::tokens;

/// Lists them.
pub(crate) fn list(project: &Project, needing: &BTreeSet<String>, report: &mut Report) {
    for (path, source) in &project.sources {
        for (at, name) in calls(&source.text, needing) {
            let text =
                format!("this example calls `{name}`, which needs a context now: `.with(&ctx)`");
            report.marks.push(Mark { path: path.clone(), at, kind: MendKind::Example, text });
        }
    }
}

/// Calls that are awaited in the fenced parts of doc comments, where they stand.
fn calls(text: &str, needing: &BTreeSet<String>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut inside, mut offset) = (false, 0);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        match trimmed.strip_prefix("///").or_else(|| trimmed.strip_prefix("//!")) {
            Some(doc) if doc.trim_start().starts_with("```") => inside = !inside,
            Some(doc) if inside && doc.contains(".await") => {
                found.extend(awaited(doc, needing).map(|name| (offset, name)));
            }
            Some(_) => {}
            None => inside = false,
        }
        offset += line.len();
    }
    found
}

/// The first call in a line that needs a context and is awaited as it is.
fn awaited(line: &str, needing: &BTreeSet<String>) -> Option<String> {
    let stream = line.trim_start().trim_start_matches("# ").parse().ok()?;
    let row = tokens::flatten(&stream, 0);
    (0..row.len()).find_map(|at| {
        let name = row[at].ident().filter(|name| needing.contains(*name))?;
        let (_, close) = tokens::arguments(&row, at)?;
        let is_awaited = row.get(close + 1)?.is_punct('.')
            && row.get(close + 2).and_then(tokens::Token::ident) == Some("await");
        is_awaited.then(|| name.to_owned())
    })
}

/// Functions of a project that need a context, by name.
pub(crate) fn needing(project: &Project) -> BTreeSet<String> {
    let of = |index: &Index| -> Vec<String> {
        let functions = index.functions.iter();
        functions
            .filter(|function| function.context.is_none() && index.ours(function).is_some())
            .map(|function| function.name.clone())
            .collect()
    };
    project.sources.values().flat_map(|source| of(&source.index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awaited_calls_in_fences_are_found() {
        let text = "/// `get(1).await` is no example.\n///\n/// ```\n/// # let a = 1;\n/// let b = client.get(a).await?;\n/// other(a).await;\n/// get(a).with(&ctx).await;\n/// ```\nfn a() { get(1).await }\n";
        let needing = BTreeSet::from(["get".to_owned()]);
        let found = calls(text, &needing);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(text[found[0].0..].starts_with("/// let b"));
    }
}
