//! The page "when the compiler says…" and the README against the messages: each headline of `ui/**/*.stderr` is on the
//! page, the page has no other, and what the README quotes is said.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = include_str!("../../ctxprop/docs/messages.md");
const README: &str = include_str!("../../README.md");
const RULES: [&str; 6] = [
    "bare-client",
    "blocking-call",
    "detached-context",
    "detached-task",
    "static-timeout",
    "unused-context",
];

/// All `.stderr` files, each with its name, but for what rustc itself says of the user's own code: that has only to
/// be as without the attribute.
fn stderrs() -> Vec<(String, String)> {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let folders = std::fs::read_dir(ui).unwrap().map(|folder| folder.unwrap().path());
    let ours = folders.filter(|folder| !folder.ends_with("rustc"));
    let files = ours.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "stderr"));
    files
        .map(|file| (file.display().to_string(), std::fs::read_to_string(&file).unwrap()))
        .collect()
}

/// What follows `error: ` or `warning: `, without the code.
fn headline(line: &str) -> Option<&str> {
    let (level, text) = line.split_once(": ")?;
    let level = level.split('[').next()?;
    ["error", "warning"].contains(&level).then_some(text)
}

/// The headings of messages on the page.
fn families() -> Vec<&'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("### ")).collect()
}

/// Whether the headline has the parts of the family between its `…`, in their order.
fn is_of(family: &str, headline: &str) -> bool {
    let mut rest = headline;
    family.split('…').all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[test]
fn each_message_is_on_the_page_and_the_page_has_no_other() {
    let families = families();
    let mut met: BTreeSet<&&str> = BTreeSet::new();
    let mut missing = BTreeSet::new();
    for (file, text) in stderrs() {
        for headline in text.lines().filter_map(headline) {
            let of: Vec<_> = families.iter().filter(|family| is_of(family, headline)).collect();
            if of.is_empty() {
                missing.insert(format!("{file}: {headline}"));
            }
            met.extend(of);
        }
    }
    assert!(missing.is_empty(), "add to ctxprop/docs/messages.md: {missing:#?}");
    let stale: Vec<_> = families.iter().filter(|family| !met.contains(family)).collect();
    assert!(stale.is_empty(), "no message of tests/ui says: {stale:#?}");
    assert_eq!(families.len(), families.iter().collect::<BTreeSet<_>>().len(), "a family twice");
}

#[test]
fn the_readme_quotes_what_is_said() {
    let said: String = stderrs().into_iter().map(|(_, text)| text).collect();
    let quotes: Vec<_> = README
        .split("| you write | the compiler says | write |")
        .skip(1)
        .flat_map(|table| table.lines().skip(2).take_while(|row| row.starts_with('|')))
        .map(|row| row.split(" | ").nth(1).unwrap())
        .collect();
    assert_eq!(quotes.len(), 12, "{quotes:#?}");
    for quote in quotes {
        assert!(said.contains(quote), "no message says: {quote}");
    }
}

/// An attribute of ours that is underlined from its first to its last character, and so tells no place in it.
fn underlined_attribute<'a>(code: &'a str, mark: &str) -> Option<&'a str> {
    let (_, code) = code.split_once(" | ")?;
    let (_, mark) = mark.split_once(" | ")?;
    let attribute = code.trim();
    let ours = ["#[propagate", "#[baggage", "#[ctxprop"];
    let is_whole = mark.trim().strip_prefix(&"^".repeat(attribute.len())).is_some();
    (is_whole && ours.iter().any(|name| attribute.starts_with(name))).then_some(attribute)
}

#[test]
fn no_message_underlines_a_whole_attribute() {
    let attribute = "4 | #[propagate(boxed)]";
    assert!(underlined_attribute(attribute, "  | ^^^^^^^^^^^^^^^^^^^").is_some());
    assert!(underlined_attribute(attribute, "  |             ^^^^^").is_none());
    for (file, text) in stderrs() {
        // Of attributes on statements rustc speaks before any macro does; mockall copies one to some of its own.
        if file.ends_with("statements.stderr") || file.ends_with("automock_above.stderr") {
            continue;
        }
        let lines: Vec<_> = text.lines().collect();
        for pair in lines.windows(2) {
            assert_eq!(underlined_attribute(pair[0], pair[1]), None, "{file}");
        }
    }
}

#[test]
fn each_rule_has_messages_enough() {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let cases = |folder: &Path| {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|ending| ending == "rs")).count()
    };
    let folders = std::fs::read_dir(&ui).unwrap().map(|folder| folder.unwrap().path());
    let all: usize = folders.map(|folder| cases(&folder)).sum();
    assert!(all >= 80, "{all}");
    for rule in RULES {
        assert!(cases(&ui.join(rule)) >= 6, "{rule}");
    }
}

#[test]
fn no_message_names_what_is_private() {
    for (file, text) in stderrs() {
        assert!(!text.contains("__private"), "{file}");
    }
}
