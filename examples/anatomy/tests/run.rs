//! Runs the program as a user does, and reads what it prints for scripts.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

use std::process::{Command, Output};

use serde_json::Value;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_anatomy")).args(args).output().expect("the program starts")
}

#[test]
fn everything_it_shows_holds() {
    let output = run(&["--json"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    let broken: Vec<_> = of("checked").into_iter().filter(|event| event["held"] != true).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(output.status.success());
    let scenes: Vec<_> = of("scene").iter().map(|event| event["scene"].clone()).collect();
    assert_eq!(scenes, ["a", "b", "c", "d"]);
    assert_eq!(of("arrived").len(), 12, "three hops in each scene");
    assert_eq!(of("released").len(), 2, "a deadline and a disconnect");
    let waterfall = of("waterfall");
    assert_eq!(waterfall.len(), 1);
    let spans = waterfall[0]["spans"].as_array().expect("spans");
    let lines: Vec<_> =
        spans.iter().map(|it| (it["name"].as_str(), it["depth"].as_u64())).collect();
    let names = [
        "gateway /checkout",
        "→ auth",
        "auth /authorize",
        "→ orders",
        "orders /orders",
        "→ ledger",
    ];
    let nested: Vec<_> = names.into_iter().map(Some).zip((0..).map(Some)).collect();
    assert_eq!(lines, nested, "each hop below the one before");
}

#[test]
fn for_people_it_prints_no_colour_into_a_pipe() {
    let output = run(&[]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{text}");
    assert!(!text.contains('\u{1b}'), "an escape in a pipe");
    assert!(text.contains("one trace through all of them"));
}

#[test]
fn an_unknown_argument_is_told() {
    let output = run(&["--jsom"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--jsom"));
}
