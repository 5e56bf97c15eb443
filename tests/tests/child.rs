//! A context that goes on in a child process, and in a child of that.

#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::Duration;

use ctxprop::wire::Formats;
use ctxprop::{Background, Cause, Ctx, SpanContext};

const BUDGET: Duration = Duration::from_secs(600);

fn parent() -> Ctx {
    let mut headers = http::HeaderMap::new();
    headers.insert("baggage", "user=Am%C3%A9lie;p=%2C".parse().unwrap());
    let state = "rojo=1,congo= 2".parse().unwrap();
    let incoming = Formats::new().extract(&headers);
    let (ctx, _canceller) = Ctx::background().with_incoming(incoming);
    ctx.with_span(SpanContext::root().with_trace_state(state)).with_timeout(BUDGET)
}

fn child() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_environment-child"));
    // what this process itself may have been started with
    for variable in ["TRACEPARENT", "TRACESTATE", "BAGGAGE", "X_DEADLINE", "X_TRACE_ID"] {
        command.env(variable, "stale");
    }
    command
}

/// What each process told, the outer one first.
fn told(output: &Output) -> Vec<HashMap<String, String>> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    lines.chunks(8).map(|process| process.iter().map(owned).collect()).collect()
}

#[test]
fn trace_baggage_and_budget_go_on_in_a_child_and_its_child() {
    let ctx = parent();
    let mut command = child();
    command.arg("again");
    ctx.inject(&mut command, &Formats::queued()).unwrap();
    let output = command.output().unwrap();
    let processes = told(&output);
    assert_eq!(processes.len(), 2);

    let (mut span, mut left) = (ctx.span().span_id().to_string(), BUDGET);
    for process in processes {
        assert_eq!(process["trace"], ctx.span().trace_id().to_string());
        assert_eq!(process["parent"], format!("Some({span})"));
        assert_eq!(process["state"], r#"Some("1")"#);
        assert_eq!(process["user"], r#"Some("Amélie")"#);
        assert_eq!(process["property"], r#"Some(("p", Some(",")))"#);
        assert_eq!(process["done"], "false");
        let now_left = Duration::from_nanos(process["left"].parse().unwrap());
        // starting it took time, and it knows
        assert!(now_left < left && now_left > Duration::ZERO, "{now_left:?} of {left:?}");
        span.clone_from(&process["span"]);
        left = now_left;
    }
}

#[test]
fn what_a_child_is_not_told_it_does_not_inherit() {
    let root = Ctx::background().child_span();
    let mut command = child();
    root.inject(&mut command, &Formats::queued()).unwrap();
    let processes = told(&command.output().unwrap());
    let process = &processes[0];
    assert_eq!(process["trace"], root.span().trace_id().to_string());
    for nothing in ["state", "user", "property"] {
        assert_eq!(process[nothing], "None");
    }
    assert_eq!(process["left"], "none");
}

#[test]
fn a_child_of_nobody_starts_a_trace_of_its_own() {
    // malformed, each of them
    let processes = told(&child().output().unwrap());
    assert_eq!(processes[0]["parent"], "None");
    assert_eq!((&*processes[0]["left"], &*processes[0]["user"]), ("none", "None"));
}

#[test]
fn a_deadline_that_passed_long_ago_has_passed() {
    let mut command = child();
    command.env("X_DEADLINE", "2001-01-01T00:00:00Z");
    assert_eq!(told(&command.output().unwrap())[0]["done"], "true");
}

#[test]
fn an_ended_context_starts_no_child() {
    let (ctx, canceller) = parent().with_cancel();
    canceller.cancel_with(Cause::Shutdown);
    let mut command = Command::new("true");
    assert!(ctx.inject(&mut command, &Formats::queued()).is_err());
    assert_eq!(command.get_envs().len(), 0);
}
