//! `tracestate` (sections 3.3 and 3.5): what of it a call carries on.

use crate::harness::Trace::{New, Same};
use crate::harness::{Harness, PARENT, Row, check};

#[test]
fn trace_state_as_the_recommendation_has_it() {
    let harness = Harness::start();
    let parent = ("traceparent", PARENT);
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@a-z0-9_-*/@";
    let value: String = (' '..='~').filter(|char| !",=".contains(*char)).collect();
    let (all_allowed, only_spaces) = (format!("{key}={value}"), format!("foo={}", " ".repeat(9)));
    let all_but_at = format!("{}={value}", key.replace('@', ""));
    let longest = |key: usize, value| format!("{}={}", "z".repeat(key), "v".repeat(value));
    let (key_256, key_257, value_257) = (longest(256, 1), longest(257, 1), longest(1, 257));
    let (both_256, value_256) = (longest(256, 256), longest(1, 256));
    let after_foo = |member: &str| format!("foo=1,{member}");
    let key_256_after_foo = after_foo(&key_256);
    // of no length in particular, as @ is a character like any other
    let tenant_241 = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    let tenant_242 = format!("{}@v=1", "t".repeat(242));
    let vendor_15 = format!("t@{}=1", "v".repeat(15));
    let tenants = [&tenant_241, &tenant_242, &vendor_15].map(|member| after_foo(member));
    let numbered = |from: usize, to: usize| {
        (from..=to)
            .map(|number| format!("bar{number:02}={number:02}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let (first, second, third) = (numbered(1, 10), numbered(11, 20), numbered(21, 30));
    let (last, last_but_too_many) = (numbered(31, 32), numbered(31, 33));
    let all_32 = numbered(1, 32);
    let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));
    let over =
        [member("a", 100), member("b", 129), member("c", 100), member("d", 100), member("e", 100)];
    let over_kept = [&over[0], &over[2], &over[3], &over[4]].map(String::as_str).join(",");
    let over = over.join(",");
    let short = [100, 100, 100, 100, 100, 100].map(|len| member(&format!("k{len}"), len));
    let short: Vec<_> = short
        .iter()
        .enumerate()
        .map(|(number, member)| format!("{number}{}", &member[1..]))
        .collect();
    let (short_kept, short) = (short[..5].join(","), short.join(","));
    let one = |value| vec![parent, ("tracestate", value)];
    let two = |one, two| vec![parent, ("tracestate", one), ("tracestate", two)];
    let rows: Vec<Row<'_>> = vec![
        ("tracestate_included_traceparent_missing", "3.3", vec![("tracestate", "foo=1")], New, ""),
        (
            "tracestate_included_traceparent_missing",
            "3.3",
            vec![("tracestate", "foo=1,bar=2")],
            New,
            "",
        ),
        (
            "tracestate_included_traceparent_included",
            "3.5",
            one("foo=1,bar=2"),
            Same,
            "foo=1,bar=2",
        ),
        ("tracestate_header_name", "3.3.1", vec![parent, ("trace-state", "foo=1")], Same, ""),
        ("tracestate_header_name", "3.3.1", vec![parent, ("trace.state", "foo=1")], Same, ""),
        (
            "tracestate_header_name_valid_casing",
            "3.3.1",
            vec![parent, ("TraceState", "foo=1")],
            Same,
            "foo=1",
        ),
        ("..", "3.3.1", vec![parent, ("TrAcEsTaTe", "foo=1")], Same, "foo=1"),
        ("..", "3.3.1", vec![parent, ("TRACESTATE", "foo=1")], Same, "foo=1"),
        ("tracestate_empty_header", "3.3.2", one(""), Same, ""),
        ("tracestate_empty_header", "3.3.2", two("foo=1", ""), Same, "foo=1"),
        ("tracestate_empty_header", "3.3.2", two("", "foo=1"), Same, "foo=1"),
        ("empty and white-space members", "3.3.2", one(" , ,\t,"), Same, ""),
        ("empty and white-space members", "3.3.2", one("foo=1,, ,bar=2,"), Same, "foo=1,bar=2"),
        (
            "tracestate_multiple_headers_different_keys",
            "3.3.2",
            vec![
                ("tracestate", "foo=1,bar=2"),
                parent,
                ("TraceState", "rojo=1,congo=2"),
                ("tracestate", "baz=3"),
            ],
            Same,
            "foo=1,bar=2,rojo=1,congo=2,baz=3",
        ),
        // 3.3.3: one entry for each key, the most recent first; 3.5: others may be discarded, the list may not
        ("tracestate_duplicated_keys", "3.5", one("foo=1,foo=1"), Same, "foo=1"),
        ("tracestate_duplicated_keys", "3.5", one("foo=1,foo=2"), Same, "foo=1"),
        ("tracestate_duplicated_keys", "3.5", two("foo=1", "foo=1"), Same, "foo=1"),
        ("tracestate_duplicated_keys", "3.5", two("foo=1", "foo=2"), Same, "foo=1"),
        ("others keep their order", "3.5", two("c=2,r=1,c=1", "b=1,r=2"), Same, "c=2,r=1,b=1"),
        ("tracestate_all_allowed_characters", "3.3.2.2", one(&all_but_at), Same, &all_but_at),
        ("tracestate_all_allowed_characters", "3.3.2.2", one(&all_allowed), Same, &all_allowed),
        (
            "tracestate_ows_handling",
            "3.3.2",
            one("foo=1 \t , \t bar=2, \t baz=3"),
            Same,
            "foo=1,bar=2,baz=3",
        ),
        (
            "tracestate_ows_handling",
            "3.3.2",
            one("foo=1\t \t,\t \tbar=2,\t \tbaz=3"),
            Same,
            "foo=1,bar=2,baz=3",
        ),
        ("tracestate_ows_handling", "3.3.2", one(" foo=1"), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("\tfoo=1"), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("foo=1 "), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("foo=1\t"), Same, "foo=1"),
        ("tracestate_ows_handling", "3.3.2", one("\t foo=1 \t"), Same, "foo=1"),
        (
            "leading spaces are the value's",
            "3.3.2.2.2",
            one("foo=  1 ,bar= 2"),
            Same,
            "foo=  1,bar= 2",
        ),
        ("tracestate_key_illegal_characters", "3.3.2.2.1", one("foo =1"), Same, ""),
        ("tracestate_key_illegal_characters", "3.3.2.2.1", one("FOO=1"), Same, ""),
        ("tracestate_key_illegal_characters", "3.3.2.2.1", one("foo.bar=1"), Same, ""),
        ("a letter or a digit first", "3.3.2.2.1", one("0foo=1"), Same, "0foo=1"),
        ("a letter or a digit first", "3.3.2.2.1", one("_foo=1,bar=2"), Same, ""),
        ("tracestate_key_illegal_vendor_format", "3.3.2.2.1", one("@foo=1,bar=2"), Same, ""),
        ("@ anywhere else", "3.3.2.2.1", one("foo@=1,bar=2"), Same, "foo@=1,bar=2"),
        ("@ anywhere else", "3.3.2.2.1", one("foo@@bar=1,bar=2"), Same, "foo@@bar=1,bar=2"),
        ("@ anywhere else", "3.3.2.2.1", one("foo@bar@baz=1,bar=2"), Same, "foo@bar@baz=1,bar=2"),
        (
            "tracestate_member_count_limit",
            "3.3.2",
            vec![
                parent,
                ("tracestate", &first),
                ("tracestate", &second),
                ("tracestate", &third),
                ("tracestate", &last),
            ],
            Same,
            &all_32,
        ),
        (
            "tracestate_member_count_limit",
            "3.3.2",
            vec![
                parent,
                ("tracestate", &first),
                ("tracestate", &second),
                ("tracestate", &third),
                ("tracestate", &last_but_too_many),
            ],
            Same,
            "",
        ),
        (
            "tracestate_key_length_limit",
            "3.3.2.2.1",
            two("foo=1", &key_256),
            Same,
            &key_256_after_foo,
        ),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &key_257), Same, ""),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &tenant_241), Same, &tenants[0]),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &tenant_242), Same, &tenants[1]),
        ("tracestate_key_length_limit", "3.3.2.2.1", two("foo=1", &vendor_15), Same, &tenants[2]),
        ("256 characters each", "3.3.2.2", one(&both_256), Same, &both_256),
        ("256 characters", "3.3.2.2.2", one(&value_256), Same, &value_256),
        ("256 characters", "3.3.2.2.2", two("foo=1", &value_257), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=bar=baz"), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=,bar=3"), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one(&only_spaces), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=a\tb"), Same, ""),
        ("tracestate_value_illegal_characters", "3.3.2.2.2", one("foo=é"), Same, ""),
        ("over 128 characters first", "3.3.3.1", one(&over), Same, &over_kept),
        ("then from the end, whole ones", "3.3.3.1", one(&short), Same, &short_kept),
    ];
    for row in rows {
        check(&harness, row);
    }
}
