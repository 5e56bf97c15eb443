//! Where a new `use ctxprop::..;` goes: among the imports of other crates, in the order of the alphabet, as rustfmt has it.

use crate::edit::{Edit, indent};
use crate::index::{Import, Module};

/// Paths that are not those of other crates: they stand in groups of their own, where there are groups.
const NOT_CRATES: &[&str] = &["std", "core", "alloc", "crate", "self", "super", ""];

pub(crate) fn new(text: &str, module: &Module, line: &str) -> Edit {
    let groups = groups(text, &module.imports);
    let of_crates = groups
        .iter()
        .find(|group| group.iter().any(|import| !NOT_CRATES.contains(&import.root.as_str())));
    if let Some(group) = of_crates {
        let before = group.iter().find(|import| {
            import.root.as_str() > "ctxprop" && !NOT_CRATES.contains(&import.root.as_str())
        });
        return match (before, group.last()) {
            (Some(next), _) => beside(text, next.range.start, line),
            (None, Some(last)) => {
                let indent = indent(text, last.range.start).unwrap_or_default();
                Edit::insert(last.range.end, format!("\n{indent}{line}"))
            }
            (None, None) => beside(text, module.start, line),
        };
    }
    let of_std = groups.iter().find(|group| {
        group.iter().all(|import| ["std", "core", "alloc"].contains(&import.root.as_str()))
    });
    if let Some(last) = of_std.and_then(|group| group.last()) {
        let indent = indent(text, last.range.start).unwrap_or_default();
        return Edit::insert(last.range.end, format!("\n\n{indent}{line}"));
    }
    match module.imports.first() {
        // `use super::*;` in a module for tests: beside it
        Some(first) if module.imports.len() < 3 => beside(text, first.range.start, line),
        Some(first) => alone(text, first.range.start, line),
        None => alone(text, module.start, line),
    }
}

fn beside(text: &str, at: usize, line: &str) -> Edit {
    let indent = indent(text, at).unwrap_or_default();
    Edit::insert(at, format!("{line}\n{indent}"))
}

fn alone(text: &str, at: usize, line: &str) -> Edit {
    let indent = indent(text, at).unwrap_or_default();
    Edit::insert(at, format!("{line}\n\n{indent}"))
}

/// Imports without an empty line between them, and without what does not look like one of them.
fn groups<'a>(text: &str, imports: &'a [Import]) -> Vec<Vec<&'a Import>> {
    let mut groups: Vec<Vec<&Import>> = Vec::new();
    let mut end = None;
    for import in imports {
        let together = end.is_some_and(|end: usize| {
            text.get(end..import.range.start).is_some_and(|between| {
                between.trim().is_empty() && between.matches('\n').count() == 1
            })
        });
        if import.plain {
            match groups.last_mut().filter(|_| together) {
                Some(group) => group.push(import),
                None => groups.push(vec![import]),
            }
        }
        end = import.plain.then_some(import.range.end);
    }
    groups
}
