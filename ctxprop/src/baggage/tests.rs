//! The map and its builder. What of a header is taken: `wire/baggage/tests.rs`.

use proptest::prelude::*;

use super::*;

fn pairs(map: &BaggageMap) -> Vec<(&str, &str)> {
    map.iter().collect()
}

fn sent(map: &BaggageMap) -> Vec<&str> {
    map.header_lines().iter().map(|line| line.to_str().unwrap()).collect()
}

fn received(lines: &[&str]) -> BaggageMap {
    let lines = lines.iter().map(|line| HeaderValue::from_str(line).unwrap()).collect();
    BaggageMap::received(Lines::Many(lines))
}

#[test]
fn empty_is_nothing_at_all() {
    static NONE: BaggageMap = BaggageMap::empty();
    assert!(NONE.is_empty() && NONE.iter().next().is_none() && NONE.get("a").is_none());
    assert!(NONE.header_lines().is_empty() && NONE.properties("a").next().is_none());
    assert!(BaggageMap::builder().build().is_empty());
    let emptied = received(&["a=1"]).to_builder().remove("a").build();
    assert!(emptied.is_empty() && emptied.header_lines().is_empty());
    assert!(received(&["a=1"]).retain_keys::<&str>(&[]).is_empty());
    assert_eq!(format!("{NONE:?}"), "{}");
}

#[test]
fn values_are_decoded_keys_and_properties_stay_as_they_are() {
    let map = received(&["a=%C3%A9%20x=y=; p = %2Cadmin=true ;%70;q= ;p, b\t=\t2", "c=%zz%,d="]);
    assert_eq!(pairs(&map), [("a", "é x=y="), ("b", "2"), ("c", "%zz%"), ("d", "")]);
    let properties: Vec<_> = map.properties("a").collect();
    let expected = [("p", Some(",admin=true")), ("%70", None), ("q", Some("")), ("p", None)];
    assert_eq!(properties, expected);
    assert!(map.properties("b").next().is_none() && map.properties("z").next().is_none());
    assert!(map.contains_key("d") && !map.contains_key("D"));
}

#[test]
fn what_is_no_utf8_is_replaced() {
    // W3C Baggage, "value": "MUST be replaced with the replacement code point (U+FFFD)"
    let map = received(&["a=%FF%41,b=%E2%82,c=%00,d=%0D%0Ax"]);
    let expected = [("a", "\u{fffd}A"), ("b", "\u{fffd}"), ("c", "\0"), ("d", "\r\nx")];
    assert_eq!(pairs(&map), expected);
    // and still leaves as it came
    assert_eq!(sent(&map), ["a=%FF%41,b=%E2%82,c=%00,d=%0D%0Ax"]);
    let map = map.to_builder().remove("b").build();
    assert_eq!(sent(&map), ["a=%FF%41,c=%00,d=%0D%0Ax"]);
}

#[test]
fn of_two_members_with_one_key_the_later_counts() {
    let map = received(&["a=1;p,b=2", "a=3;q"]);
    assert_eq!(pairs(&map), [("b", "2"), ("a", "3")]);
    assert_eq!(map.properties("a").collect::<Vec<_>>(), [("q", None)]);
    assert_eq!(sent(&map), ["a=1;p,b=2", "a=3;q"]);
    assert_eq!(sent(&map.to_builder().insert("c", "4").unwrap().build()), ["b=2,a=3;q,c=4"]);
}

#[test]
fn received_members_are_never_encoded_again() {
    let map = received(&["a=x%2cy ; p=%2Cadmin=true;q,b=2, c=3"]);
    let changed = map.to_builder().insert("b", "a,b;c").unwrap().remove("c").build();
    assert_eq!(sent(&changed), ["a=x%2cy ; p=%2Cadmin=true;q,b=a%2Cb%3Bc"]);
    assert_eq!(changed.properties("a").next(), Some(("p", Some(",admin=true"))));
    assert_eq!(sent(&map.retain_keys(&["c", "a"])), ["a=x%2cy ; p=%2Cadmin=true;q,c=3"]);
}

#[test]
fn what_is_built_is_encoded() {
    let mut builder = BaggageMap::builder();
    let properties = [("p", Some("1;2")), ("q", None), ("p", Some(""))];
    builder.insert_with("k", "a %=\\\"é\n", properties).unwrap();
    let map = builder.build();
    assert_eq!(sent(&map), ["k=a%20%25=%5C%22%C3%A9%0A;p=1%3B2;q;p="]);
    assert_eq!(map.properties("k").collect::<Vec<_>>(), properties);
    assert!(builder.build().is_empty());
}

#[test]
fn a_key_is_a_token() {
    let long = "k".repeat(8190);
    for (key, valid) in [
        ("user.id", true),
        ("!#$%&'*+-.^_`|~09azAZ", true),
        (&long, true),
        ("", false),
        ("a b", false),
        ("a=b", false),
        ("a,b", false),
        ("a;b", false),
        ("a\r\nb", false),
        ("é", false),
        ("\"a\"", false),
    ] {
        let mut builder = BaggageMap::builder();
        let kind = builder.insert(key, "1").map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind, if valid { Ok(()) } else { Err(BaggageErrorKind::InvalidKey) }, "{key}");
        let property = builder.insert_with("k", "v", [(key, None)]).map(|_| ());
        let kind = property.map_err(|error| (error.key().to_owned(), error.kind()));
        if !valid {
            assert_eq!(kind, Err(("k".to_owned(), BaggageErrorKind::InvalidProperty)), "{key}");
        }
    }
}

#[test]
fn sixty_four_members_and_no_more() {
    let mut builder = BaggageMap::builder();
    for number in 0..64 {
        builder.insert(&format!("k{number}"), "v").unwrap();
    }
    let error = builder.insert("one.more", "v").unwrap_err();
    assert_eq!((error.key(), error.kind()), ("one.more", BaggageErrorKind::TooMany { max: 64 }));
    builder.insert("k7", "replaced").unwrap();
    let map = builder.build();
    assert_eq!(
        (map.len(), map.get("k7"), map.iter().next()),
        (64, Some("replaced"), Some(("k0", "v")))
    );
}

#[test]
fn eight_kibibytes_as_encoded_and_no_more() {
    let full = BaggageErrorKind::TooLarge { max: 8192 };
    let mut builder = BaggageMap::builder();
    assert_eq!(builder.insert("a", &"é".repeat(1366)).unwrap_err().kind(), full);
    builder.insert("a", &"é".repeat(1365)).unwrap(); // 2 + 6 * 1365 = 8192
    assert_eq!(builder.insert("b", "").unwrap_err().kind(), full);
    builder.insert("a", "x").unwrap().insert("b", &"y".repeat(8186)).unwrap(); // 3 + 1 + 8188
    assert_eq!(builder.insert("c", "").unwrap_err().kind(), full);
    assert_eq!(builder.insert("b", &"y".repeat(8187)).unwrap_err().kind(), full);
    let map = builder.build();
    assert_eq!(map.get("b").map(str::len), Some(8186));
    assert_eq!(sent(&map).iter().map(|line| line.len()).collect::<Vec<_>>(), [3, 8188]);
}

#[test]
fn lines_are_short_enough_for_nginx() {
    let mut builder = BaggageMap::builder();
    for number in 0..60 {
        builder.insert(&format!("key{number:02}"), &"x".repeat(129)).unwrap(); // 135 and a comma
    }
    let map = builder.build();
    let lens: Vec<_> = sent(&map).iter().map(|line| line.len()).collect();
    assert_eq!(lens, [58 * 136 - 1, 2 * 136 - 1]);
    assert_eq!(pairs(&received(&sent(&map))), pairs(&map));
}

#[test]
fn private_members_stay_and_are_not_shown() {
    let mut builder = received(&["tenant=acme"]).to_builder();
    let map = builder.insert_private("user", "secret").unwrap().build();
    assert!(map.is_private("user") && !map.is_private("tenant") && !map.is_private("none"));
    assert_eq!(map.get("user"), Some("secret"));
    assert_eq!(format!("{map:?}"), r#"{"tenant": "acme", "user": <private>}"#);
    assert!(!format!("{:?}", map.to_builder()).contains("secret"));
    assert!(!format!("{:?}", map.header_lines()).contains("secret"));

    let public = map.without_private();
    assert_eq!(sent(&public), ["tenant=acme"]);
    assert!(map.retain_keys(&["user"]).is_private("user"));
    assert!(public.without_private().to_builder().build().get("user").is_none());
    let replaced = map.to_builder().insert("user", "public").unwrap().build();
    assert!(!replaced.is_private("user"));
}

#[test]
fn what_is_private_is_so_at_the_next_hop_too() {
    let map = BaggageMap::builder().insert_private("user", "secret").unwrap().build();
    assert_eq!(sent(&map), ["user=secret;private"]);
    // Two hops further on, through one that does not look.
    let map = received(&sent(&received(&sent(&map))));
    assert!(map.is_private("user") && map.without_private().is_empty());
    assert_eq!(format!("{map:?}"), r#"{"user": <private>}"#);

    let map = received(&["a=1;private,b=2;x;private ; y=1,c=3;private=1,d=4;Private,e=5;xprivate"]);
    let public = map.without_private();
    assert_eq!(sent(&public), ["e=5;xprivate"]);
    // Both lines of a key would be sent on.
    let map = received(&["k=1;private,a=1", "k=2"]);
    assert!(map.get("k") == Some("2") && map.is_private("k"));
    assert_eq!(sent(&map.without_private()), ["a=1"]);
    assert!(map.retain_keys(&["k"]).is_private("k"));
    let map = received(&["k=1,a=1,k=2;private"]);
    assert_eq!(sent(&map.without_private()), ["a=1"]);
    // Without one, what came is sent on without being built anew.
    let map = received(&["c=3 , d=4"]);
    assert_eq!(sent(&map.without_private()), ["c=3 , d=4"]);
}

/// It fails closed: whoever wrote it in whatever way meant it.
#[test]
fn private_is_read_in_any_case_and_with_any_value() {
    for mark in [
        "private",
        "PRIVATE",
        "Private",
        "private=",
        "private=1",
        "pRiVaTe = x",
        "x;private=0;y",
        "private=%46",
    ] {
        let map = received(&[&format!("tenant=acme,user=7 ; {mark},tier=gold")]);
        assert!(map.is_private("user") && !map.is_private("tenant"), "{mark}");
        assert_eq!(pairs(&map.without_private()), [("tenant", "acme"), ("tier", "gold")], "{mark}");
        assert!(!format!("{map:?}").contains('7'), "{mark}");
        // .. also where it is written here.
        let mut builder = BaggageMap::builder();
        let (key, value) = mark.rsplit(';').next().unwrap().split_once('=').unwrap_or((mark, ""));
        let property = if mark.contains('y') { "PrIvAtE" } else { key.trim() };
        let map = builder.insert_with("user", "7", [(property, Some(value))]).unwrap().build();
        assert!(map.is_private("user") && map.without_private().is_empty(), "{mark}");
    }
    for other in ["privat", "xprivate", "private2", "p=private", "p=private=1"] {
        assert!(!received(&[&format!("user=7;{other}")]).is_private("user"), "{other}");
    }
}

#[test]
fn a_builder_keeps_no_text_of_what_it_replaced() {
    let mut builder = received(&["a=1,b=2;p=%2C,c=%20"]).to_builder();
    for number in 0..10_000 {
        builder.insert("b", &format!("{number}")).unwrap();
    }
    let map = builder.build();
    assert_eq!(sent(&map), ["a=1,c=%20,b=9999"]);
    assert!(map.members().text_len() < 4_096);
}

#[test]
fn errors_name_the_key_and_never_the_value() {
    let mut builder = BaggageMap::builder();
    let error = builder.insert("bad\r\nkey", "secret").unwrap_err();
    let text = "baggage key `bad\\r\\nkey` is not a token (RFC 9110, section 5.6.2)";
    assert_eq!(error.to_string(), text);
    assert!(!format!("{error:?}").contains("secret"));
    assert_eq!(BaggageError::missing("a").to_string(), "baggage `a` is missing");
    assert_eq!(BaggageError::too_long("a", 9).to_string(), "baggage `a` is longer than 9 bytes");
    fn is_error<E: std::error::Error + Clone + Send + Sync + 'static>(_: &E) {}
    is_error(&error);
}

#[test]
fn maps_are_shared_and_read_from_many_threads() {
    fn is_shared<T: Send + Sync + 'static>(_: &T) {}
    let map = received(&["a=%31"]);
    is_shared(&map);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(map.clone().get("a"), Some("1")));
        }
    });
}

type Given = Vec<(String, String, Vec<(String, Option<String>)>)>;

fn given() -> impl Strategy<Value = Given> {
    let key = "[!#-'*+.^_`|~0-9A-Za-z-]{1,8}";
    let property = (key, prop::option::of(any::<String>()));
    prop::collection::vec((key, any::<String>(), prop::collection::vec(property, 0..3)), 0..12)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(given in given()) {
        let mut builder = BaggageMap::builder();
        for (key, value, properties) in &given {
            let properties = properties.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
            // may be refused where the strategy made too much of it
            let _ = builder.insert_with(key, value, properties);
        }
        let built = builder.build();
        let bytes: usize = sent(&built).iter().map(|line| line.len() + 1).sum();
        prop_assert!(bytes <= MAX_BAGGAGE_BYTES + 1);
        let read = received(&sent(&built));
        prop_assert_eq!(pairs(&read), pairs(&built));
        for (key, _) in built.iter() {
            prop_assert!(read.properties(key).eq(built.properties(key)));
        }
    }

    #[test]
    fn removing_and_adding_mixes_nothing_up(
        given in given(),
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut builder = BaggageMap::builder();
        let mut expected: Given = Vec::new();
        for (key, value, properties) in &given {
            let pairs = properties.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
            if builder.insert_with(key, value, pairs).is_ok() {
                expected.retain(|(other, ..)| other != key);
                expected.push((key.clone(), value.clone(), properties.clone()));
            }
        }
        for index in removed {
            if !expected.is_empty() {
                builder.remove(&expected.remove(index.index(expected.len())).0);
            }
        }
        let map = builder.build();
        let read: Given = map
            .iter()
            .map(|(key, value)| {
                let properties = map.properties(key);
                let owned = |(key, value): (&str, Option<&str>)| {
                    (key.to_owned(), value.map(str::to_owned))
                };
                (key.to_owned(), value.to_owned(), properties.map(owned).collect())
            })
            .collect();
        prop_assert_eq!(read, expected);
    }
}
