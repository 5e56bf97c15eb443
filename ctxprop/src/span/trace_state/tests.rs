//! The grammar and the limits of `tracestate`, as Trace Context Level 2 has them.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn received(lines: &[&str]) -> Result<(TraceState, LeftOut), TraceStateError> {
    match *lines {
        [line] => TraceState::from_line(FieldValue::from(line)),
        _ => TraceState::from_lines(lines.iter().map(|line| FieldValue::from(*line))),
    }
}

fn read(lines: &[&str]) -> Result<String, TraceStateError> {
    let (state, _) = received(lines)?;
    Ok(state.header().map_or(String::new(), |line| line.to_str().unwrap().to_owned()))
}

fn numbered(count: usize) -> String {
    (0..count).map(|number| format!("k{number}={number}")).collect::<Vec<_>>().join(",")
}

#[test]
fn what_is_valid_and_what_is_left_of_it() {
    let long_key = format!("{}=1", "z".repeat(256));
    let long_value = format!("k={}", "v".repeat(256));
    let full = numbered(32);
    let keychars = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@=1";
    let printable: String = (' '..='~').filter(|char| !",=".contains(*char)).collect();
    let printable = format!("k={printable}");
    for (section, received, sent) in [
        ("list", &["foo=1,bar=2"][..], "foo=1,bar=2"),
        (
            "Field Values: combined in order",
            &["foo=1,bar=2", "rojo=1", "baz=3"],
            "foo=1,bar=2,rojo=1,baz=3",
        ),
        ("Field Values: empty headers accepted, not sent", &[""], ""),
        ("Field Values: empty headers accepted, not sent", &[" \t ", ",, ,"], ""),
        ("Field Values: empty members", &["foo=1,,bar=2", "", ","], "foo=1,bar=2"),
        ("Field Values: empty members", &["", "foo=1"], "foo=1"),
        ("OWS around members", &["foo=1 \t , \t bar=2, \t baz=3", "x=1"], "foo=1,bar=2,baz=3,x=1"),
        (
            "one line within limits is kept as it is",
            &["foo=1 \t , \t bar=2"],
            "foo=1 \t , \t bar=2",
        ),
        ("Key: 256 characters", &[&long_key], &long_key),
        ("Key: digit first", &["1a=2"], "1a=2"),
        ("Key: all characters", &[keychars], keychars),
        ("Key: @ anywhere but first", &["foo@=1,foo@@bar=2,a@b@c=3"], "foo@=1,foo@@bar=2,a@b@c=3"),
        ("Value: 256 characters", &[&long_value], &long_value),
        ("Value: all characters", &[&printable], &printable),
        ("Field Values: 32 members", &[&full], &full),
        ("empty members do not count", &[&full, ",,,"], &full),
    ] {
        assert_eq!(read(received).as_deref(), Ok(sent), "{section}");
    }
}

#[test]
fn what_is_invalid_as_a_whole() {
    use TraceStateError::*;
    let long_key = format!("foo=1,{}=1", "z".repeat(257));
    let long_value = format!("foo=1,k={}", "v".repeat(257));
    let many = numbered(33);
    let very_many = numbered(100);
    let many_foos = vec!["foo=1"; 33].join(",");
    for (section, received, error) in [
        ("Key: 256 characters", &[long_key.as_str()][..], InvalidKey),
        ("Key: lower case", &["FOO=1"], InvalidKey),
        ("Key: keychar", &["foo.bar=1"], InvalidKey),
        ("Key: no white space", &["foo =1"], InvalidKey),
        ("Key: @ not first", &["@foo=1,bar=2"], InvalidKey),
        ("Key: _ not first", &["_foo=1"], InvalidKey),
        ("Key: at least one character", &["=1"], InvalidKey),
        ("list-member: =", &["foo"], InvalidKey),
        ("Value: at least one character", &["foo=,bar=3"], InvalidValue),
        ("Value: not only spaces", &["foo=  "], InvalidValue),
        ("Value: no =", &["foo=bar=baz"], InvalidValue),
        ("Value: no tab", &["foo=a\tb"], InvalidValue),
        ("Value: ASCII", &["foo=é"], InvalidValue),
        ("Value: 256 characters", &[&long_value], InvalidValue),
        ("Field Values: 32 members", &[&many], TooMany),
        ("Field Values: 32 members", &[&very_many], TooMany),
        ("Field Values: 32 members, of whatever keys", &[&many_foos], TooMany),
    ] {
        assert_eq!(read(received), Err(error), "{section}: {received:?}");
    }
}

#[test]
fn leading_spaces_belong_to_the_value_and_trailing_ones_do_not() {
    // section "Value"
    let state: TraceState = "foo=  1 2  ,bar= 3\t".parse().unwrap();
    assert_eq!(state.iter().collect::<Vec<_>>(), [("foo", "  1 2"), ("bar", " 3")]);
}

#[test]
fn what_is_too_long_loses_long_members_first_and_then_the_last() {
    // section "tracestate Limits"
    let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));
    let (short, long) = (|key| member(key, 100), |key| member(key, 130));
    let keys = |text: String| {
        let (state, dropped) = received(&[&text]).unwrap();
        assert!(state.header().is_none_or(|line| line.len() <= MAX_TRACE_STATE_BYTES));
        assert_eq!(dropped.repeated, 0);
        (
            state.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>().join(","),
            dropped.too_long,
        )
    };
    let all = [short("a"), long("b"), short("c"), long("d"), short("e")].join(",");
    assert_eq!(keys(all), ("a,b,c,e".to_owned(), 1));
    let all = [short("a"), short("b"), short("c"), short("d"), short("e"), short("f")].join(",");
    assert_eq!(keys(all), ("a,b,c,d,e".to_owned(), 1));
    // exactly 128 characters are not longer than that
    let all = [member("a", 128), short("b"), short("c"), short("d"), short("e")].join(",");
    assert_eq!(keys(all), ("a,b,c,d".to_owned(), 1));
    let all = [member("a", 255), member("b", 256)].join(",");
    assert_eq!((all.len(), keys(all)), (512, ("a,b".to_owned(), 0)));
    // the longest member there is, alone and with others
    let longest = format!("{}={}", "k".repeat(256), "v".repeat(256));
    assert_eq!(read(&[&longest]).as_deref(), Ok(longest.as_str()));
    assert_eq!(keys(format!("{longest},a=1")), ("a".to_owned(), 1));
    // white space counts, but goes before any member does
    let all = [short("a"), short("b"), short("c")].join(&format!(",{}", " ".repeat(200)));
    assert_eq!(keys(all), ("a,b,c".to_owned(), 0));
}

#[test]
fn of_members_with_the_same_key_the_first_is_kept() {
    // sections 3.3.3 "Combined Header Value" and 3.5 "Mutating the tracestate Field"
    for (lines, kept, repeated) in [
        (&["foo=1,foo=1"][..], "foo=1", 1),
        (&["foo=1,foo=2"], "foo=1", 1),
        (&["foo=1", "foo=2"], "foo=1", 1),
        (&["congo=2,rojo=1,congo=1"], "congo=2,rojo=1", 1),
        (&["a=1 , b=2,", "b=3\t,a=4,c=5", "a=6"], "a=1,b=2,c=5", 3),
        // neither the beginning of a key, nor a key in a value
        (&["ab=1,a=2,abc=3,b=4"], "ab=1,a=2,abc=3,b=4", 0),
        (&["a=b,b=a"], "a=b,b=a", 0),
        (&[&vec!["foo=1"; 32].join(",")], "foo=1", 31),
    ] {
        let left_out = LeftOut { repeated, too_long: 0 };
        let (state, dropped) = received(lines).unwrap();
        assert_eq!((state, dropped), (kept.parse().unwrap(), left_out), "{lines:?}");
        assert_eq!(read(lines).as_deref(), Ok(kept), "{lines:?}");
    }
    // What is repeated goes first, and makes room for what is not.
    let member = |key: &str| format!("{key}={}", "x".repeat(98));
    let all = ["a", "a", "b", "c", "d", "e", "f"].map(member).join(",");
    let (state, dropped) = received(&[&all]).unwrap();
    assert_eq!(state.iter().map(|(key, _)| key).collect::<String>(), "abcde");
    assert_eq!(dropped, LeftOut { repeated: 1, too_long: 1 });
    // A list of our own has no key twice.
    let own = "foo=1,bar=2,foo=3".parse::<TraceState>().unwrap().with("foo", "4").unwrap();
    assert_eq!(own, "foo=4,bar=2".parse().unwrap());
}

#[test]
fn a_changed_member_moves_to_the_front() {
    // section "Mutating the tracestate Field"
    let text = |state: &TraceState| state.header().unwrap().to_str().unwrap().to_owned();
    let state: TraceState = "a=1, b=2 ,c=3".parse().unwrap();
    assert_eq!(text(&state.with("b", "4").unwrap()), "b=4,a=1,c=3");
    assert_eq!(text(&state.with("d", " 4").unwrap()), "d= 4,a=1,b=2,c=3");
    assert_eq!(text(&TraceState::empty().with("a", "1").unwrap()), "a=1");

    let full: TraceState = numbered(32).parse().unwrap();
    let more = full.with("new", "1").unwrap();
    assert_eq!(more.iter().count(), 32);
    assert_eq!((more.get("new"), more.get("k31"), more.get("k30")), (Some("1"), None, Some("30")));

    let crowded = state.with("long", &"x".repeat(256)).unwrap().with("own", &"y".repeat(256));
    let crowded = crowded.unwrap();
    assert_eq!(crowded.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["own", "a", "b", "c"]);
    // the new member stays, however long
    let huge = crowded.with(&"k".repeat(255), &"v".repeat(256)).unwrap();
    assert_eq!(huge.iter().count(), 1);
}

#[test]
fn a_member_that_would_not_be_one_is_refused() {
    use TraceStateError::*;
    for (key, value, error) in [
        ("", "1", InvalidKey),
        ("A", "1", InvalidKey),
        (" a", "1", InvalidKey),
        ("a ", "1", InvalidKey),
        ("a=b", "1", InvalidKey),
        ("a,b", "1", InvalidKey),
        ("@a", "1", InvalidKey),
        ("a", "", InvalidValue),
        ("a", "1,b=2", InvalidValue),
        ("a", "1,", InvalidValue),
        ("a", "1=2", InvalidValue),
        ("a", "1 ", InvalidValue),
        ("a", "1\t", InvalidValue),
        ("a", "1\r\nx: y", InvalidValue),
        ("a", "é", InvalidValue),
        ("a", &"x".repeat(257), InvalidValue),
        (&"k".repeat(257), "1", InvalidKey),
    ] {
        assert_eq!(TraceState::empty().with(key, value), Err(error), "{key:?}={value:?}");
    }
}

fn member() -> impl Strategy<Value = (String, String)> {
    ("[a-z0-9][a-z0-9_*/@-]{0,9}", "[ -+.-<>-~-]{0,9}[!-+.-<>-~-]")
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(members in prop::collection::vec(member(), 0..32)) {
        let mut state = TraceState::empty();
        let mut expected: Vec<(String, String)> = Vec::new();
        for (key, value) in members {
            state = state.with(&key, &value).unwrap();
            expected.retain(|(other, _)| *other != key);
            expected.insert(0, (key, value));
        }
        // at most 22 bytes a member, so that only the last can go
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let read: Vec<_> = state.iter().map(owned).collect();
        prop_assert!(expected.starts_with(&read));
        prop_assert!(read.len() == expected.len() || read.len() > 20);
        for (key, value) in &read {
            prop_assert_eq!(state.get(key), Some(value.as_str()));
        }
        let line = state.header().map_or("", |line| line.to_str().unwrap());
        let again: Result<TraceState, _> = line.parse();
        prop_assert_eq!(again, Ok(state));
    }

    #[test]
    fn a_list_is_taken_as_it_is_unless_two_keys_are_the_same(
        keys in prop::collection::vec("[abcd]{1,2}|[a-z]{1,40}", 1..=32),
    ) {
        let members: Vec<_> = keys.iter().map(|key| format!("{key}=1")).collect();
        let distinct = keys.iter().collect::<HashSet<_>>().len() == keys.len();
        let found = check(members.join(",").as_bytes());
        prop_assert_eq!(found.map(|members| members == Members::Compact), Ok(distinct));
    }

    #[test]
    fn no_bytes_make_it_panic(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..4),
    ) {
        let lines = lines.iter().map(|line| FieldValue::from(line.as_slice()));
        if let Ok((state, _)) = TraceState::from_lines(lines) {
            prop_assert!(state.iter().count() <= MAX_TRACE_STATE_MEMBERS);
        }
    }

    #[test]
    fn no_list_makes_it_panic(text in "[a=, \t@]{0,40}") {
        if let Ok(state) = text.parse::<TraceState>() {
            prop_assert_eq!(state.is_empty(), state.iter().next().is_none());
            let mut keys: Vec<_> = state.iter().map(|(key, _)| key).collect();
            keys.sort_unstable();
            prop_assert!(keys.is_sorted_by(|one, other| one < other), "{:?} of {:?}", keys, text);
        }
    }
}
