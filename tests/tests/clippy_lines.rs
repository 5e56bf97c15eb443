//! The lines of `clippy.toml` that the docs recommend, run by clippy over a crate that calls all of it under other
//! names. What is tested is what is written there.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const MESSAGES: &str = include_str!("../../ctxprop/docs/messages.md");
const README: &str = include_str!("../../README.md");
const CALLS: &str = include_str!("../clippy-lines/src/lib.rs");

/// The block of `clippy.toml` in a page.
fn block(page: &str) -> &str {
    let (_, rest) = page.split_once("```toml\ndisallowed-methods").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block
}

fn paths(block: &str) -> BTreeSet<&str> {
    block.split("path = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Each line of the crate that has a call, and the path that is behind it.
fn expected() -> BTreeSet<(u64, String)> {
    let lines = (1..).zip(CALLS.lines());
    lines.filter_map(|(at, line)| Some((at, line.split_once("; // ")?.1.to_owned()))).collect()
}

/// What clippy says of the crate under this `clippy.toml`.
fn refused(toml: &str) -> BTreeSet<(u64, String)> {
    let conf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clippy-lines");
    std::fs::create_dir_all(&conf).unwrap();
    std::fs::write(conf.join("clippy.toml"), toml).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["clippy", "-p", "ctxprop-clippy-lines", "--no-deps", "--message-format=json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CLIPPY_CONF_DIR", &conf)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut refused = BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        let of_the_crate = report["target"]["name"] == "ctxprop_clippy_lines";
        if report["reason"] != "compiler-message" || !of_the_crate {
            continue;
        }
        let message = report["message"]["message"].as_str().unwrap();
        if message.ends_with("warnings emitted") {
            continue;
        }
        let path = message.strip_prefix("use of a disallowed method `").unwrap_or_else(|| {
            panic!("clippy says something else: {message}");
        });
        let at = report["message"]["spans"][0]["line_start"].as_u64().unwrap();
        refused.insert((at, path.trim_end_matches('`').to_owned()));
    }
    refused
}

/// In one test, since all runs use one folder.
#[test]
fn the_lines_refuse_each_call_under_other_names_and_nothing_else() {
    let lines = block(MESSAGES);
    let expected = expected();
    assert_eq!(expected.len(), 19, "{expected:?}");
    let called: BTreeSet<_> = expected.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(paths(lines), called, "a line without a call, or a call without a line");
    assert_eq!(refused(&format!("disallowed-methods{lines}")), expected);

    assert_eq!(block(README), lines, "the README has the same lines");

    // Without lines there is nothing to say, so it is they that say it.
    assert_eq!(refused(""), BTreeSet::new());
}
