//! What is made of the table of rules: a table on two pages, and the lines for `clippy.toml` on one and in the README.
//!
//! After a change, accept it with `PAGES=overwrite cargo test -p ctxprop-macros`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::table::{Level, Rule, TABLE};

/// The rules, as the pages show them: as messages write them, or as `allow(..)` does.
fn table(as_messages: bool) -> String {
    let mut rows =
        String::from("| rule | level | breaks it | write instead |\n| --- | --- | --- | --- |\n");
    for entry in &TABLE {
        let level = match entry.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let label = if as_messages { entry.label() } else { entry.name.to_owned() };
        let (breaks, instead) = (entry.breaks, entry.instead);
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
    let made = [
        ("ctxprop/docs/messages.md", lines(), "```"),
        ("ctxprop/docs/messages.md", table(true), "\n###"),
        ("ctxprop/docs/propagate.md", table(false), "\nA rule speaks"),
        ("README.md", lines(), "```"),
    ];
    for (page, made, end) in made {
        let path = root.join(page);
        let kept = fs::read_to_string(&path).unwrap();
        let now = put(&kept, &made, end);
        if overwrite {
            fs::write(&path, &now).unwrap();
        }
        assert!(overwrite || kept == now, "{page} should have:\n{made}");
    }
}

#[test]
fn each_rule_stands_at_its_place() {
    for (at, rule) in Rule::ALL.into_iter().enumerate() {
        assert_eq!((rule as usize, rule.entry().rule), (at, rule));
    }
}
