//! The variables, one by one. A real child process: `tests/tests/child.rs`.

use std::time::Duration;

use super::*;
use crate::baggage::BaggageMap;
use crate::span::SpanContext;
use crate::wire::{Formats, Outgoing};

fn told(command: &Command) -> Vec<(String, Option<String>)> {
    let text = |value: &'_ OsStr| -> String { value.to_str().unwrap().to_owned() };
    command.get_envs().map(|(name, value)| (text(name), value.map(text))).collect()
}

#[test]
fn a_variable_is_the_field_in_upper_case() {
    let named = |field: &str| field.to_uppercase().replace('-', "_");
    assert!(variables().all(|(field, variable)| variable == named(field)));
    // A number of milliseconds would count from whenever the child gets to it.
    assert!(HEADERS.iter().all(|header| header.relative.is_none() || header.variable.is_none()));
}

#[test]
fn a_command_is_told_what_there_is_and_not_to_inherit_the_rest() {
    let span = SpanContext::root();
    let mut builder = BaggageMap::builder();
    for number in 0..60 {
        builder.insert(&format!("key{number:02}"), &"x".repeat(129)).unwrap();
    }
    let baggage = builder.build();
    let mut command = Command::new("true");
    let outgoing =
        Outgoing { span: &span, baggage: Some(&baggage), remaining: Some(Duration::from_secs(9)) };
    // also with the formats of requests: no number of milliseconds
    for formats in [Formats::new(), Formats::queued()] {
        formats.inject(&outgoing, &mut command).unwrap();
        let variables = told(&command);
        let names: Vec<_> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["BAGGAGE", "TRACEPARENT", "TRACESTATE", "X_DEADLINE", "X_TRACE_ID"]);
        let lines: Vec<_> = baggage.header_lines().iter().map(text).collect();
        assert_eq!(variables[0].1, Some(lines.join(",")));
        assert_eq!(variables[2].1, None);
        assert_eq!(variables[3].1.as_ref().map(String::len), Some(30));
        // an inherited one would name another trace
        assert_eq!(variables[4].1, None);
    }
    let nothing = Outgoing { span: &SpanContext::invalid(), baggage: None, remaining: None };
    nothing.write(&mut command).unwrap();
    assert!(told(&command).iter().all(|(_, value)| value.is_none()));
}

#[test]
fn debug_tells_no_values() {
    let environment = Environment(vec![("baggage", "user=secret".into())]);
    assert_eq!(format!("{environment:?}"), r#"Environment {"baggage"}"#);
}
