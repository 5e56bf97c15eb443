//! What of the `baggage` header is taken, and that what is taken leaves as it came.
//!
//! Section names are those of W3C Baggage.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("baggage", HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

/// What is sent on, and how many members were left out.
fn forward(lines: &[&str]) -> (Vec<String>, usize) {
    let mut dropped = Dropped::default();
    let map = read(&Fields::of(&headers(lines)), &mut dropped);
    let mut out = HeaderMap::new();
    write(Some(&map), &mut out);
    let text = |line: &HeaderValue| line.to_str().unwrap().to_owned();
    (out.get_all("baggage").iter().map(text).collect(), dropped.0)
}

#[test]
fn a_valid_line_leaves_as_it_came() {
    for (section, line) in [
        (
            "Example",
            "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
        ),
        ("OWS", " userId =   alice,serverNode\t=\tDF%2028 , isProduction = false "),
        ("value: any number of =", "a=b=c==,d=="),
        ("value: may be empty", "a=,b= ;p"),
        ("value: baggage-octet", "a=!#$%&'()*+-./0:<=>?@AZ[]^_`az{|}~"),
        ("key: token", "!#$%&'*+-.^_`|~09azAZ=1"),
        ("property: order, repeated, no value", "a=1;z;b=2;z;b=3; c = 4 ;d="),
        ("property: not read", "a=1;p=%2Cadmin=true;%70"),
        ("percent signs", "a=%,b=%zz,c=%00,d=%FF,e=%2,f=100%25"),
        ("baggage-string: order of duplicates", "a=1,b=2,a=3"),
    ] {
        assert_eq!(forward(&[line]), (vec![line.to_owned()], 0), "{section}");
    }
}

#[test]
fn several_lines_leave_as_one_list() {
    // "Values can be combined in a single header according to RFC 7230"; peers read but the first
    for (lines, expected) in [
        (
            &["userId=alice", "serverNode=DF%2028,isProduction=false"][..],
            "userId=alice,serverNode=DF%2028,isProduction=false",
        ),
        (&["userId =   alice", " a = %2c ; p "], "userId =   alice,a = %2c ; p"),
        (&["a=1", "a=2", "b=3,a=4"], "a=1,a=2,b=3,a=4"),
        (&["", "a=1", " \t", "b=2", ","], "a=1,b=2"),
    ] {
        assert_eq!(forward(lines), (vec![expected.to_owned()], 0));
    }
}

#[test]
fn malformed_members_go_one_by_one() {
    for (section, lines, expected, dropped) in [
        ("list-member: =", &["a=1,b,c=3"][..], &["a=1,c=3"][..], 1),
        ("list-member: key", &["=1,a=2,=,;"], &["a=2"], 3),
        ("key: token", &["a b=1,c=2,d\"=3,é=4,(=5"], &["c=2"], 4),
        ("value: no white space", &["a=b c,d=2,e=1\t2;p"], &["d=2"], 2),
        ("value: no DQUOTE, backslash", &["a=\"b\",c=d\\e,f=1"], &["f=1"], 2),
        ("value: ASCII", &["a=é,b=2"], &["b=2"], 1),
        ("property: key", &["a=1;,b=2;;p,c=3;=1,d=4; ,e=5;p"], &["e=5;p"], 4),
        ("property: token", &["a=1;p q,b=2;p=1 2,c=3;\"=1,d=4"], &["d=4"], 3),
        ("property: value", &["a=1;p=\"x\",b=2"], &["b=2"], 1),
        ("copied as they came", &[" a = %41 ; p = %2C ,b", "c=3 "], &["a = %41 ; p = %2C,c=3"], 1),
        ("all of it", &["a", "b;c", "\u{e9}"], &[], 3),
        ("empty members are no mistake", &["a=1,,b=2, ,"], &["a=1,b=2"], 0),
        ("empty lines are no mistake", &["", "a=1", " \t"], &["a=1"], 0),
        ("nothing", &[""], &[], 0),
    ] {
        let expected = expected.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(forward(lines), (expected, dropped), "{section}");
    }
}

#[test]
fn sixty_four_members_at_least_and_no_more() {
    // "Limits": 64 list-members
    let members = |count: usize| (0..count).map(|number| format!("k{number}=v"));
    let line = |count| members(count).collect::<Vec<_>>().join(",");
    assert_eq!(forward(&[&line(64)]), (vec![line(64)], 0));
    assert_eq!(forward(&[&line(100)]), (vec![line(64)], 36));

    let lines: Vec<_> = members(100).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert_eq!(forward(&lines[..64]), (vec![line(64)], 0));
    assert_eq!(forward(&lines), (vec![line(64)], 36));
}

#[test]
fn eight_kibibytes_at_least_and_no_more() {
    // "Limits": a baggage-string of 8192 bytes, over all lines, commas between them included
    let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));
    let lens = |lines: &[&str]| {
        let (lines, dropped) = forward(lines);
        (lines.iter().map(String::len).collect::<Vec<_>>(), dropped)
    };
    assert_eq!(lens(&[&member("a", 8000)]), (vec![8000], 0));
    assert_eq!(lens(&[&member("a", 8000), &member("b", 191)]), (vec![8000, 191], 0));
    assert_eq!(lens(&[&member("a", 8000), &member("b", 192)]), (vec![8000], 1));
    // a line that nginx would refuse is split; a member cannot be
    let line = [member("a", 4000), member("b", 4191)].join(",");
    assert_eq!((line.len(), lens(&[&line])), (8192, (vec![4000, 4191], 0)));
    assert_eq!(lens(&[&member("a", 8192)]), (vec![8192], 0));
    assert_eq!(lens(&[&member("a", 8193)]), (vec![], 1));
    // whole members go, those that fit stay
    let line = [member("a", 5000), member("b", 5000), member("c", 3000)].join(",");
    assert_eq!(lens(&[&line]), (vec![5000, 3000], 1));
    // white space goes before members do
    let line = [member("a", 4000), member("b", 4000)].join(&format!(",{}", " ".repeat(400)));
    assert_eq!(lens(&[&line]), (vec![4000, 4000], 0));
}

#[test]
fn a_hostile_header_costs_what_it_holds_and_no_more() {
    let long = "k=v;p=%2C,".repeat(6554); // 64 KiB
    let (lines, dropped) = forward(&[&long]);
    assert_eq!((lines.len(), dropped), (1, 6554 - 64));
    assert_eq!(forward(&[&",".repeat(65_536)]), (vec![], 0));
    assert_eq!(forward(&[&"x,".repeat(32_768)]), (vec![], 32_768));
    assert_eq!(forward(&[&"a=1;".repeat(16_384)]), (vec![], 1));
    assert_eq!(
        forward(&[&format!("a={}", "é".repeat(32_768)), "b=1"]),
        (vec!["b=1".to_owned()], 1)
    );
}

#[test]
fn a_property_cannot_become_a_member() {
    let map = extract(&headers(&["a=1;p=%2Cadmin=true", "bad"]));
    assert_eq!(map.iter().collect::<Vec<_>>(), [("a", "1")]);
    let changed = map.to_builder().insert("b", "2").unwrap().build();
    for map in [map, changed] {
        let mut out = HeaderMap::new();
        write(Some(&map), &mut out);
        assert!(extract(&out).get("admin").is_none());
    }
}

#[test]
fn sensitive_lines_stay_sensitive() {
    let mut line = HeaderValue::from_static("a=1,,b=2");
    line.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert("baggage", line);
    assert!(extract(&headers).header_lines()[0].is_sensitive());
}

/// Valid list-members, white space and odd spellings included.
fn member() -> impl Strategy<Value = String> {
    let property = "[ \t]{0,2};[ \t]{0,2}[!#-'*+.^_`|~0-9A-Za-z-]{1,6}([ \t]{0,2}=[ \t]{0,2}[!#-+.-:<-\\[\\]-~-]{0,6})?";
    let value = "[!#-'*+.^_`|~0-9A-Za-z-]{1,8}[ \t]{0,2}=[ \t]{0,2}[!#-+.-:<-\\[\\]-~-]{0,12}";
    (value, prop::collection::vec(property, 0..3))
        .prop_map(|(member, properties)| (member + &properties.concat()).trim_end().to_owned())
}

proptest! {
    #[test]
    fn forwarding_alters_nothing_that_is_valid(
        lines in prop::collection::vec(prop::collection::vec(member(), 1..12), 1..5),
    ) {
        let texts: Vec<_> = lines.iter().map(|members| members.join(" ,\t")).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let (forwarded, dropped) = forward(&texts);
        prop_assert_eq!(dropped, 0);
        let expected = match texts[..] {
            [line] => line.to_owned(),
            _ => lines.concat().join(","),
        };
        prop_assert_eq!(forwarded, [expected]);
    }

    #[test]
    fn what_is_malformed_takes_nothing_with_it(
        members in prop::collection::vec(
            (member(), r#"[^=,\x00-\x1f\x7f]{0,5}|=[a-z]{0,3}|a="|a=1;"#), 1..20,
        ),
    ) {
        let (good, bad): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        let mixed = good.iter().zip(&bad).flat_map(|(good, bad)| [good.as_str(), bad]);
        let mixed: Vec<_> = mixed.collect();
        let alone = extract(&headers(&[&good.join(",")]));
        let mixed = extract(&headers(&[&mixed.join(",")]));
        prop_assert!(alone.iter().eq(mixed.iter()));
    }

    #[test]
    fn no_bytes_make_it_panic_or_send_what_it_would_not_take(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5),
        text in "[a=, \t;%2\"é]{0,80}",
    ) {
        let mut headers = headers(&[&text]);
        for line in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
            headers.append("baggage", line);
        }
        let map = extract(&headers);
        let _ = (map.iter().count(), format!("{map:?}"));
        let mut out = HeaderMap::new();
        write(Some(&map), &mut out);
        let mut dropped = Dropped::default();
        let again = read(&Fields::of(&out), &mut dropped);
        prop_assert_eq!(dropped.0, 0);
        prop_assert!(again.iter().eq(map.iter()));
    }
}

/// What is taken of a stranger's baggage, and how many members were malformed.
fn taken(lines: &[&str], keys: &[&str]) -> (Vec<String>, usize) {
    let mut dropped = Dropped::default();
    let map = read_keys(&Fields::of(&headers(lines)), keys, &mut dropped);
    let text = |line: &HeaderValue| line.to_str().unwrap().to_owned();
    (map.header_lines().iter().map(text).collect(), dropped.0)
}

#[test]
fn an_edge_takes_the_keys_that_it_knows() {
    for (lines, keys, expected, dropped) in [
        (&["tenant=acme,role=admin"][..], &["tenant"][..], &["tenant=acme"][..], 0),
        (&["role=admin", " tenant = acme ;p , x=1"], &["tenant"], &["tenant = acme ;p"], 0),
        (&["a=1,b=2,c=3"], &["c", "a"], &["a=1,c=3"], 0),
        (&["tenant.id=1,tenan=2,xtenant=3,Tenant=4,tenant"], &["tenant"], &[], 0),
        // malformed ones of others are nobody's business
        (&["é,=,;,tenant=a b,tenant=1"], &["tenant"], &["tenant=1"], 1),
        (&["role=x;tenant=1,y=tenant=1"], &["tenant"], &[], 0),
        (&["tenant=1"], &[], &[], 0),
        (&["", ",", " "], &["tenant"], &[], 0),
    ] {
        let expected: Vec<_> = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(taken(lines, keys), (expected, dropped), "{lines:?} {keys:?}");
    }
    // A stranger cannot push out what is taken with what is not.
    let many: Vec<_> = (0..180).map(|number| format!("key{number}=v")).collect();
    let line = format!("{},tenant=acme", many.join(","));
    assert_eq!(taken(&[&line], &["tenant"]), (vec!["tenant=acme".to_owned()], 0));
}

proptest! {
    #[test]
    fn taking_some_keys_is_taking_all_and_keeping_some(
        line in "([a-c]{1,2}[ \t]?=[a-z%]{0,3}(;[ \t]?(private|p)(=[a-z]?)?)?[ \t]?,?[ \t]?){0,12}",
        keys in prop::collection::vec("[a-c]{1,2}", 0..4),
    ) {
        let all = headers(&[&line]);
        let some = read_keys(&Fields::of(&all), &keys, &mut Dropped::default());
        let kept = extract(&all).retain_keys(&keys);
        prop_assert!(some.iter().eq(kept.iter()));
        prop_assert!(kept.iter().all(|(key, _)| kept.is_private(key) == some.is_private(key)));
    }
}
