//! What `--trace` writes, held to the format.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

use std::process::Command;

use serde_json::Value;
use trace_format::{check, of_phase};

#[path = "page/trace_format.rs"]
mod trace_format;

#[test]
fn a_run_is_written_as_the_format_says() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("anatomy.trace.json");
    let status = Command::new(env!("CARGO_BIN_EXE_anatomy"))
        .args(["--json", "--trace"])
        .arg(&file)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success());
    let trace = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    check(&trace);
    let names = |phase| {
        let names =
            of_phase(&trace, phase).into_iter().map(|event| event["name"].as_str().unwrap());
        names.collect::<Vec<_>>()
    };
    let requests =
        |service: &str| names("X").iter().filter(|name| name.starts_with(service)).count();
    assert_eq!([requests("gateway"), requests("auth"), requests("orders")], [4, 4, 4]);
    assert_eq!(names("s").len(), 8, "two hops in the mesh, in four scenes");
    assert_eq!(names("i").iter().filter(|name| **name == "released under a shield").count(), 2);
    let budgets: Vec<_> = of_phase(&trace, "C")
        .iter()
        .map(|event| event["args"]["left_ms"].as_f64().unwrap())
        .collect();
    assert!(budgets[..3].is_sorted_by(|one, two| one > two), "{budgets:?}");
}

#[test]
fn what_is_not_as_the_format_says_is_found() {
    let event = |more: Value| {
        let mut event = serde_json::json!({
            "name": "a", "cat": "b", "ph": "X", "ts": 1.5, "dur": 2, "pid": 1, "tid": 1
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::json!({ "traceEvents": [event], "displayTimeUnit": "ms" })
    };
    let refused = |trace: Value| std::panic::catch_unwind(|| check(&trace)).is_err();
    assert!(!refused(event(serde_json::json!({}))));
    for wrong in [
        serde_json::json!({ "ts": "1" }),
        serde_json::json!({ "dur": -1 }),
        serde_json::json!({ "pid": 1.5 }),
        serde_json::json!({ "ph": "Q" }),
        serde_json::json!({ "ph": "f" }),
        serde_json::json!({ "ph": "M", "args": {} }),
        serde_json::json!({ "color": "red" }),
        serde_json::json!({ "args": [] }),
    ] {
        assert!(refused(event(wrong.clone())), "{wrong}");
    }
}
