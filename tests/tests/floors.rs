//! The floors of the core (`ARCHITECTURE.md`): a file imports from its own and those below.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest to the highest. What stands together may import each other.
const FLOORS: &[&[&str]] = &[
    &["sync", "fault"],
    &["field_value", "span", "baggage", "baggage_field"],
    &["end"],
    &["context"],
    &["wire", "trust"],
    &["run", "needs_ctx", "body", "async_block", "in_span", "local", "questions", "detached"],
    &["axum", "nats", "tonic", "of_request", "testing", "__private"],
];

/// Names under which the root of the crate has what lies deeper.
const ALIASES: &[(&str, &str)] = &[("ctx", "context"), ("cause", "end")];

fn floor(module: &str) -> Option<usize> {
    let known = ALIASES.iter().find(|(alias, _)| *alias == module);
    let module = known.map_or(module, |(_, module)| module);
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn no_file_imports_from_a_floor_above() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ctxprop/src");
    let mut wrong = Vec::new();
    for path in sources(&root) {
        let own = path.strip_prefix(&root).unwrap().components().next().unwrap();
        let own = own.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        // The root itself, and the model, which looks at everything.
        if ["lib", "model"].contains(&own.as_str()) {
            continue;
        }
        let here = floor(&own).unwrap_or_else(|| panic!("`{own}` stands on no floor"));
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for import in line.split("crate::").skip(1) {
                let module: String =
                    import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if floor(&module).is_some_and(|there| there > here) {
                    wrong.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports from a floor above:\n{}", wrong.join("\n"));
}
