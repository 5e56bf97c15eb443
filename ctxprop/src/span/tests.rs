//! Ids, flags and spans as values. How they are read from headers: `wire/trace_context/tests.rs`.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn an_id_is_exactly_its_digits() {
    // Trace Context Level 2, "trace-id": 32HEXDIGLC, all zeroes forbidden
    for (text, valid) in [
        (TRACE, true),
        ("00000000000000000000000000000001", true),
        ("00000000000000000000000000000000", false),
        ("4BF92F3577B34DA6A3CE929D0E0E4736", false),
        ("4bf92f3577b34da6a3ce929d0e0e473", false),
        ("4bf92f3577b34da6a3ce929d0e0e47361", false),
        ("+bf92f3577b34da6a3ce929d0e0e4736", false),
        (" bf92f3577b34da6a3ce929d0e0e4736", false),
        ("4bf92f3577b34da6a3ce929d0e0e473g", false),
        ("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", false),
        ("", false),
        ("ééééééééééééééé", false),
    ] {
        assert_eq!(text.parse::<TraceId>().is_ok(), valid, "{text}");
    }
    assert!("00f067aa0ba902b7".parse::<SpanId>().is_ok());
    let error = "0000000000000000".parse::<SpanId>().unwrap_err();
    assert_eq!(error.to_string(), "expected 16 lower-case hexadecimal digits, not all zero");
}

#[test]
fn ids_print_as_hex_in_every_way() {
    let id: TraceId = TRACE.parse().unwrap();
    assert_eq!(format!("{id} {id:x} {id:?}"), format!("{TRACE} {TRACE} {TRACE}"));
    assert_eq!(format!("{:>18}", SpanId::from_bytes([1; 8])), "  0101010101010101");
    assert_eq!(format!("{:?}", TraceFlags::SAMPLED | TraceFlags::RANDOM), "03");
    assert!(!TraceId::INVALID.is_valid() && !SpanId::INVALID.is_valid());
}

#[test]
fn random_ids_differ_also_between_threads() {
    let ids = || {
        let span = SpanContext::root();
        (span.trace_id(), span.span_id())
    };
    let threads: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(move || (0..1_000).map(|_| ids()).collect::<Vec<_>>()))
        .collect();
    let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(all.iter().all(|(trace, span)| trace.is_valid() && span.is_valid()));
    assert_eq!(all.iter().map(|(trace, _)| trace).collect::<HashSet<_>>().len(), 8_000);
    assert_eq!(all.iter().map(|(_, span)| span).collect::<HashSet<_>>().len(), 8_000);
}

#[test]
fn seeding_the_global_generator_does_not_seed_the_ids() {
    let root = || {
        fastrand::seed(7);
        SpanContext::root().trace_id()
    };
    assert_ne!(root(), root());
}

#[test]
fn a_child_keeps_the_trace_and_nothing_of_the_other_process() {
    let state: TraceState = "rojo=1".parse().unwrap();
    let parent = SpanContext::new(
        TRACE.parse().unwrap(),
        "00f067aa0ba902b7".parse().unwrap(),
        TraceFlags::RANDOM,
    );
    let parent = parent.with_trace_state(state.clone()).with_remote(true);
    let child = parent.child();
    assert_eq!(child.trace_id(), parent.trace_id());
    assert_eq!(child.flags(), TraceFlags::RANDOM);
    assert_eq!(child.trace_state(), &state);
    assert!(child.span_id().is_valid() && child.span_id() != parent.span_id());
    assert!(parent.is_remote() && !child.is_remote());
}

#[test]
fn a_child_of_no_span_is_a_root() {
    static NONE: SpanContext = SpanContext::invalid();
    let child = NONE.child();
    // rule 3.1.12: new, sampled, random flag set
    assert!(child.is_valid() && child.is_sampled() && child.flags().is_random());
    assert!(!child.is_remote() && child.trace_state().is_empty());

    let half = SpanContext::new(TRACE.parse().unwrap(), SpanId::INVALID, TraceFlags::NONE);
    assert!(!half.is_valid());
    assert_ne!(half.child().trace_id(), half.trace_id());
}

#[test]
fn debug_tells_nothing_of_the_trace_state() {
    let span = SpanContext::root().with_trace_state("rojo=secret".parse().unwrap());
    let text = format!("{span:?} {:?}", span.trace_state());
    assert!(text.contains(&span.trace_id().to_string()) && !text.contains("secret"), "{text}");
}

proptest! {
    #[test]
    fn ids_survive_being_written(trace: [u8; 16], span: [u8; 8]) {
        let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
        let (read, expected) = (trace.to_string().parse(), Some(trace).filter(|id| id.is_valid()));
        prop_assert_eq!(read.ok(), expected);
        let (read, expected) = (span.to_string().parse(), Some(span).filter(|id| id.is_valid()));
        prop_assert_eq!(read.ok(), expected);
    }
}
