//! `docs/semantics.md` against the tests and the code: each rule has a test that names it, no test and no comment of the
//! core names a rule that is not there, and each code block is part of a file that is compiled and run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/semantics.md");
const EXAMPLES: &str = include_str!("semantics/examples.rs");

/// Section, chapter, rule: 3.2.7.
type Number = (u32, u32, u32);

/// What `text` begins with, if that is three numbers with `separator` between them.
fn number(text: &str, separator: char) -> Option<Number> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (section, rest) = text.split_at(digits(text));
    let rest = rest.strip_prefix(separator)?;
    let (chapter, rest) = rest.split_at(digits(rest));
    let rest = rest.strip_prefix(separator)?;
    let rule = &rest[..digits(rest)];
    Some((section.parse().ok()?, chapter.parse().ok()?, rule.parse().ok()?))
}

fn shown((section, chapter, rule): Number) -> String {
    format!("{section}.{chapter}.{rule}")
}

/// The rules of the page, in their order.
fn rules() -> Vec<Number> {
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix("#### "));
    headings.map(|heading| number(heading, '.').expect(heading)).collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All Rust files under `folder`.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The files of the workspace that hold tests.
fn all_tests() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for krate in read_dir(workspace()).unwrap() {
        let krate = krate.unwrap().path();
        if krate.join("Cargo.toml").exists() {
            for folder in ["src", "tests", "ui"].map(|folder| krate.join(folder)) {
                if folder.exists() {
                    sources(&folder, &mut files);
                }
            }
        }
    }
    files
}

/// What the tests of a file say that they prove: functions with `#[test]` or the like, and files of the compiler's messages.
fn named(path: &Path) -> Vec<String> {
    let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
    let is_ui = path.parent().and_then(Path::parent).is_some_and(|folder| folder.ends_with("ui"));
    let mut names: Vec<String> = Vec::new();
    if is_ui && stem.starts_with("rule_") {
        names.push(stem);
    }
    let text = read_to_string(path).unwrap();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.contains("test");
            continue;
        }
        let line = line.strip_prefix("async ").unwrap_or(line);
        if let Some(name) = line.strip_prefix("fn ").filter(|name| name.starts_with("rule_")) {
            let name = name.split('(').next().unwrap();
            assert!(is_test, "{}: {name} is no test", path.display());
            names.push(name.to_owned());
        }
        is_test = false;
    }
    names
}

#[test]
fn the_rules_are_numbered_one_after_the_other() {
    let rules = rules();
    assert!(rules.len() > 70, "{}", rules.len());
    for pair in rules.windows(2) {
        let ((_, chapter, rule), next) = (pair[0], pair[1]);
        let follows = next == (3, chapter, rule + 1) || next == (3, chapter + 1, 1);
        assert!(follows, "{} follows {}", shown(next), shown(pair[0]));
    }
}

#[test]
fn each_rule_has_a_test_and_no_test_names_another_rule() {
    let mut tests: BTreeMap<Number, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let rules: BTreeSet<Number> = rules().into_iter().collect();
    for path in all_tests() {
        for name in named(&path) {
            match number(name.trim_start_matches("rule_"), '_').filter(|rule| rules.contains(rule))
            {
                Some(rule) => *tests.entry(rule).or_default() += 1,
                None => wrong.push(format!("{}: {name}", path.display())),
            }
        }
    }
    let untested: Vec<_> = rules.iter().filter(|rule| !tests.contains_key(rule)).collect();
    let untested: Vec<_> = untested.into_iter().copied().map(shown).collect();
    assert!(wrong.is_empty(), "these name rules that docs/semantics.md does not have: {wrong:#?}");
    assert!(untested.is_empty(), "no test names these rules: {untested:?}");
}

#[test]
fn the_core_cites_rules_that_there_are() {
    let rules: BTreeSet<Number> = rules().into_iter().collect();
    let core = workspace().join("ctxprop/src");
    let mut files = Vec::new();
    for floor in ["body", "context", "end", "run"] {
        files.push(core.join(floor).with_extension("rs"));
        sources(&core.join(floor), &mut files);
    }
    let (mut cited, mut wrong) = (BTreeSet::new(), Vec::new());
    for path in files {
        let text = read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("3.") {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_ascii_digit() || c == '.') {
                continue;
            }
            let Some(rule) = number(&text[at..], '.') else { continue };
            cited.insert(rule);
            if !rules.contains(&rule) {
                wrong.push(format!("{}: {}", path.display(), shown(rule)));
            }
        }
    }
    assert!(wrong.is_empty(), "these are no rules of docs/semantics.md: {wrong:#?}");
    assert!(cited.len() > 10, "the core cites few rules: {cited:?}");
}

#[test]
fn each_code_block_is_run_as_a_test() {
    let dedented = |text: &str| -> String {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .fold(String::new(), |all, line| all + line + "\n")
    };
    let examples = dedented(EXAMPLES);
    let blocks: Vec<_> = PAGE
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block without an end").0)
        .collect();
    assert!(blocks.len() > 8 && PAGE.matches("```").count() == 2 * blocks.len());
    for block in blocks {
        assert!(examples.contains(&dedented(block)), "not in semantics/examples.rs:\n{block}");
    }
}
