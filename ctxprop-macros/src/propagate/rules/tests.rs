//! What is made of the table of rules: a table of the messages page, and the lines for `clippy.toml` there and in the README.
//!
//! After a change, accept it with `PAGES=overwrite cargo test -p ctxprop-macros`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::table::{Level, Rule, TABLE};

/// The rules, as the page shows them.
fn table() -> String {
    let mut rows =
        String::from("| rule | level | breaks it | write instead |\n| --- | --- | --- | --- |\n");
    for entry in &TABLE {
        let level = match entry.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let (label, breaks, instead) = (entry.label(), entry.breaks, entry.instead);
        writeln!(rows, "| `{label}` | {level} | {breaks} | {instead} |").unwrap();
    }
    rows
}

/// The lines for `clippy.toml`.
fn lines() -> String {
    let mut lines = String::from("disallowed-methods = [\n");
    for call in TABLE.iter().flat_map(|entry| entry.calls) {
        if let (path, Some(reason)) = (call.path, call.clippy) {
            writeln!(
                lines,
                "    {{ path = \"{path}\", reason = \"{reason}\", allow-invalid = true }},"
            )
            .unwrap();
        }
    }
    lines + "]\n"
}

/// Puts `made` into `page`, in place of what begins with its first line and ends before `end`.
fn put(page: &str, made: &str, end: &str) -> String {
    let first = made.lines().next().unwrap();
    let (before, rest) = page.split_once(&format!("{first}\n")).expect("its first line");
    let (_, after) = rest.split_once(end).expect("its end");
    format!("{before}{made}{end}{after}")
}

#[test]
fn the_pages_have_what_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let overwrite = std::env::var_os("PAGES").is_some_and(|value| value == "overwrite");
    for (page, has_the_table) in [("ctxprop/docs/messages.md", true), ("README.md", false)] {
        let path = root.join(page);
        let kept = fs::read_to_string(&path).unwrap();
        let mut now = put(&kept, &lines(), "```");
        if has_the_table {
            now = put(&now, &table(), "\n###");
        }
        if overwrite {
            fs::write(&path, &now).unwrap();
        }
        assert!(overwrite || kept == now, "{page} should have:\n{}{}", table(), lines());
    }
}

#[test]
fn each_rule_stands_at_its_place() {
    for (at, rule) in Rule::ALL.into_iter().enumerate() {
        assert_eq!((rule as usize, rule.entry().rule), (at, rule));
    }
}
