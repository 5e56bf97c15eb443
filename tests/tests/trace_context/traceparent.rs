//! `traceparent` (sections 3.2 and 3.4): whose trace a call belongs to.

use crate::harness::Trace::{New, Same};
use crate::harness::{Harness, PARENT, Row, check};

#[test]
fn trace_parent_as_the_recommendation_has_it() {
    let harness = Harness::start();
    let future = "cc-12345678901234567890123456789012-1234567890123456-01";
    let future_more = format!("{future}-what-the-future-will-be-like");
    let future_dot = format!("{future}.what-the-future-will-be-like");
    let (more, dot) = (format!("{PARENT}-what-the-future-will-be-like"), format!("{PARENT}."));
    let (spaced, tabbed) = (format!(" {PARENT}"), format!("\t{PARENT}"));
    let (space_behind, tab_behind) = (format!("{PARENT} "), format!("{PARENT}\t"));
    let around = format!("\t {PARENT} \t");
    let upper = PARENT.replace("1234567890123456-", "123456789012345A-");
    let state = ("tracestate", "foo=1,bar=2");
    let one = |value| vec![("traceparent", value), state];
    let kept = "foo=1,bar=2";
    let rows: Vec<Row<'_>> = vec![
        ("both_traceparent_and_tracestate_missing", "3.4", vec![], New, ""),
        ("traceparent_included_tracestate_missing", "3.4", vec![("traceparent", PARENT)], Same, ""),
        (
            "traceparent_duplicated",
            "3.2",
            vec![
                ("traceparent", "00-12345678901234567890123456789011-1234567890123456-01"),
                ("traceparent", PARENT),
                state,
            ],
            New,
            "",
        ),
        ("the same twice", "3.2", vec![("traceparent", PARENT), ("TraceParent", PARENT)], New, ""),
        ("traceparent_header_name", "3.2.1", vec![("trace-parent", PARENT), state], New, ""),
        ("traceparent_header_name", "3.2.1", vec![("trace.parent", PARENT), state], New, ""),
        (
            "traceparent_header_name_valid_casing",
            "3.2.1",
            vec![("TraceParent", PARENT), state],
            Same,
            kept,
        ),
        ("..", "3.2.1", vec![("TrAcEpArEnT", PARENT), state], Same, kept),
        ("..", "3.2.1", vec![("TRACEPARENT", PARENT), state], Same, kept),
        ("traceparent_version_0x00", "3.2.2.2", one(&dot), New, ""),
        ("traceparent_version_0x00", "3.2.2.2", one(&more), New, ""),
        ("traceparent_version_0xcc", "3.2.4", one(future), Same, kept),
        ("traceparent_version_0xcc", "3.2.4", one(&future_more), Same, kept),
        ("traceparent_version_0xcc", "3.2.4", one(&future_dot), New, ""),
        ("shorter than 55 characters", "3.2.4", one(&future[..54]), New, ""),
        (
            "traceparent_version_0xff",
            "3.2.2.1",
            one("ff-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_version_illegal_characters",
            "3.2.2.1",
            one(".0-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        ("..", "3.2.2.1", one("0.-12345678901234567890123456789012-1234567890123456-01"), New, ""),
        ("..", "3.2.2.1", one("CC-12345678901234567890123456789012-1234567890123456-01"), New, ""),
        (
            "traceparent_version_too_long",
            "3.2.2.1",
            one("000-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "..",
            "3.2.2.1",
            one("0000-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_version_too_short",
            "3.2.2.1",
            one("0-12345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_id_all_zero",
            "3.2.2.3",
            one("00-00000000000000000000000000000000-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_id_illegal_characters",
            "3.2.2.3",
            one("00-.2345678901234567890123456789012-1234567890123456-01"),
            New,
            "",
        ),
        ("..", "3.2.2.3", one("00-1234567890123456789012345678901.-1234567890123456-01"), New, ""),
        ("..", "3.2.2.3", one("00-1234567890123456789012345678901A-1234567890123456-01"), New, ""),
        (
            "traceparent_trace_id_too_long",
            "3.2.2.3",
            one("00-123456789012345678901234567890123-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_id_too_short",
            "3.2.2.3",
            one("00-1234567890123456789012345678901-1234567890123456-01"),
            New,
            "",
        ),
        (
            "traceparent_parent_id_all_zero",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-0000000000000000-01"),
            New,
            "",
        ),
        (
            "traceparent_parent_id_illegal_characters",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-.234567890123456-01"),
            New,
            "",
        ),
        ("..", "3.2.2.4", one("00-12345678901234567890123456789012-123456789012345.-01"), New, ""),
        ("..", "3.2.2.4", one(&upper), New, ""),
        (
            "traceparent_parent_id_too_long",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-12345678901234567-01"),
            New,
            "",
        ),
        (
            "traceparent_parent_id_too_short",
            "3.2.2.4",
            one("00-12345678901234567890123456789012-123456789012345-01"),
            New,
            "",
        ),
        (
            "traceparent_trace_flags_illegal_characters",
            "3.2.2.5",
            one("00-12345678901234567890123456789012-1234567890123456-.0"),
            New,
            "",
        ),
        ("..", "3.2.2.5", one("00-12345678901234567890123456789012-1234567890123456-0."), New, ""),
        (
            "traceparent_trace_flags_too_long",
            "3.2.2.5",
            one("00-12345678901234567890123456789012-1234567890123456-001"),
            New,
            "",
        ),
        (
            "traceparent_trace_flags_too_short",
            "3.2.2.5",
            one("00-12345678901234567890123456789012-1234567890123456-1"),
            New,
            "",
        ),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&spaced), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&tabbed), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&space_behind), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&tab_behind), Same, kept),
        ("traceparent_ows_handling", "RFC 9110, 5.5", one(&around), Same, kept),
        ("empty", "3.2.2", one(""), New, ""),
        (
            "US-ASCII",
            "3.2.2.1",
            one("00-1234567890123456789012345678901é-123456789012345-01"),
            New,
            "",
        ),
    ];
    for row in rows {
        check(&harness, row);
    }
}
