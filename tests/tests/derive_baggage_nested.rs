//! `#[derive(Baggage)]` on enums, and structs in structs: how keys and values are made of names, and what the compiler
//! knows of their length.

#![deny(warnings, clippy::pedantic)]

use ctxprop::{Background, Baggage, BaggageError, BaggageErrorKind, BaggageMap, Ctx};

#[path = "support/baggage.rs"]
mod support;

use support::{lines, received, round_trip, written};

#[derive(Baggage, Clone, Copy, Debug, Default, PartialEq)]
#[baggage(rename_all = "kebab-case")]
enum Tier {
    #[default]
    Free,
    GoldMember,
    #[baggage(value = "über, alles")]
    Top,
    r#Self_,
}

#[derive(Baggage, Debug, PartialEq)]
struct Customer {
    tier: Tier,
    former: Option<Tier>,
    #[baggage(default)]
    next: Tier,
}

#[test]
fn variants_are_values() {
    let customer = Customer { tier: Tier::GoldMember, former: Some(Tier::Top), next: Tier::Free };
    let map = written(&customer).unwrap();
    assert_eq!(lines(&map), ["tier=gold-member,former=%C3%BCber%2C%20alles,next=free"]);
    round_trip(&customer);
    round_trip(&Customer { tier: Tier::Self_, former: None, ..customer });
    for line in ["tier=Free", "tier=GoldMember", "tier=", "tier=platinum"] {
        let error = Customer::from_baggage(&received(line)).unwrap_err();
        assert_eq!(error, BaggageError::invalid("tier", "Tier"), "{line}");
    }
}

#[derive(Baggage, Debug, PartialEq)]
struct Place {
    #[baggage(max_len = 8)]
    region: String,
    #[baggage(key = "place.zone", max_len = 4)]
    zone: Option<String>,
}

#[derive(Baggage, Debug, PartialEq)]
struct Order {
    #[baggage(key = "order.id", max_len = 20)]
    id: u64,
    #[baggage(flatten)]
    from: Place,
    #[baggage(flatten)]
    to: Other,
}

/// The same fields under other keys.
#[derive(Baggage, Debug, PartialEq)]
#[baggage(prefix = "to.")]
struct Other {
    #[baggage(max_len = 8)]
    region: String,
    #[baggage(key = "zone", max_len = 4)]
    zone: Option<String>,
}

fn order() -> Order {
    Order {
        id: 7,
        from: Place { region: "eu".to_owned(), zone: Some("a".to_owned()) },
        to: Other { region: "us".to_owned(), zone: None },
    }
}

#[test]
fn flattened_structs_travel_under_their_own_keys() {
    let map = written(&order()).unwrap();
    assert_eq!(lines(&map), ["order.id=7,region=eu,place.zone=a,to.region=us"]);
    round_trip(&order());
    let missing = Order::from_baggage(&received("order.id=7,region=eu")).unwrap_err();
    assert_eq!(missing, BaggageError::missing("to.region"));
    let long = Order::from_baggage(&received("order.id=7,region=antarctica")).unwrap_err();
    assert_eq!(long, BaggageError::too_long("region", 8));
}

/// A `None` inside removes what is there, as outside.
#[test]
fn what_is_flattened_takes_part_in_an_update() {
    let ctx = Ctx::background().with_baggage(&order()).unwrap();
    let from = Place { region: "eu".to_owned(), zone: None };
    let ctx = ctx.with_baggage(&Order { from, ..order() }).unwrap();
    assert_eq!(ctx.baggage_map().get("place.zone"), None);
    assert_eq!(ctx.baggage::<Place>().unwrap().region, "eu");
}

#[test]
fn what_is_private_inside_stays_in_the_mesh() {
    #[derive(Baggage)]
    struct Inner {
        #[baggage(private)]
        email: String,
    }
    #[derive(Baggage)]
    struct Outer {
        #[baggage(flatten)]
        inner: Inner,
    }
    let outer = Outer { inner: Inner { email: "a@example.com".to_owned() } };
    let map = written(&outer).unwrap();
    assert!(map.is_private("email") && map.without_private().is_empty());
}

/// A hand-written `Baggage` can be flattened. Its keys are not known, and neither is its length.
struct ByHand;

impl Baggage for ByHand {
    fn from_baggage(map: &BaggageMap) -> Result<Self, BaggageError> {
        map.get("by-hand").map(|_| ByHand).ok_or(BaggageError::missing("by-hand"))
    }

    fn to_baggage(&self, out: &mut ctxprop::BaggageMapBuilder) -> Result<(), BaggageError> {
        out.insert("by-hand", "").map(|_| ())
    }
}

#[derive(Baggage)]
struct WithByHand<B> {
    #[baggage(flatten)]
    by_hand: ByHand,
    #[baggage(flatten)]
    generic: B,
}

#[test]
fn what_was_written_by_hand_or_is_generic_can_be_flattened() {
    let value = WithByHand { by_hand: ByHand, generic: order().to };
    let map = written(&value).unwrap();
    assert_eq!(lines(&map), ["by-hand=,to.region=us"]);
    let read = WithByHand::<Other>::from_baggage(&map).unwrap();
    assert_eq!(read.generic, order().to);
    let ByHand = read.by_hand;
    assert_eq!(<WithByHand<Other> as Baggage>::MAX_ENCODED_LEN, None);
}

#[test]
fn keys_are_made_of_names() {
    macro_rules! keys {
        ($($case:literal: $keys:literal, $value:literal;)*) => {
            $({
                #[derive(Baggage)]
                #[baggage(rename_all = $case, prefix = "p.")]
                struct Names {
                    user_id: Shade,
                    r#type: Shade,
                    #[baggage(key = "asIs")]
                    other: Option<Shade>,
                }
                #[derive(Baggage)]
                #[baggage(rename_all = $case)]
                enum Shade {
                    DarkBlue,
                }
                let names = Names {
                    user_id: Shade::DarkBlue,
                    r#type: Shade::DarkBlue,
                    other: Some(Shade::DarkBlue),
                };
                let expected = $keys.split(' ').map(|key| format!("p.{key}={}", $value));
                let expected = expected.collect::<Vec<_>>().join(",");
                assert_eq!(lines(&written(&names).unwrap()), [expected.as_str()]);
                let read = Names::from_baggage(&received(&expected)).map(|names| names.other);
                assert!(matches!(read, Ok(Some(Shade::DarkBlue))));
            })*
        };
    }
    keys! {
        "lowercase": "user_id type asIs", "darkblue";
        "UPPERCASE": "USER_ID TYPE asIs", "DARKBLUE";
        "PascalCase": "UserId Type asIs", "DarkBlue";
        "camelCase": "userId type asIs", "darkBlue";
        "snake_case": "user_id type asIs", "dark_blue";
        "SCREAMING_SNAKE_CASE": "USER_ID TYPE asIs", "DARK_BLUE";
        "kebab-case": "user-id type asIs", "dark-blue";
        "SCREAMING-KEBAB-CASE": "USER-ID TYPE asIs", "DARK-BLUE";
        "dot.case": "user.id type asIs", "dark.blue";
    }
}

#[derive(Baggage)]
#[baggage(max_bytes = 128)]
struct Bounded {
    #[baggage(max_len = 8)]
    name: String,
    #[baggage(private)]
    tier: Tier,
    #[baggage(flatten)]
    place: Place,
    #[baggage(flatten)]
    nothing: Nothing,
    #[baggage(skip)]
    local: String,
}

#[derive(Baggage)]
struct Nothing {}

/// The constant is what the longest value really takes, and no byte less.
#[test]
fn the_longest_value_is_known_at_compile_time() {
    const LEN: Option<usize> = Bounded::MAX_ENCODED_LEN;
    let longest = Bounded {
        name: "\0".repeat(8),
        tier: Tier::Top,
        place: Place { region: "é".repeat(4), zone: Some("\u{10FFFF}".to_owned()) },
        nothing: Nothing {},
        local: String::new(),
    };
    let map = written(&longest).unwrap();
    assert_eq!(LEN, Some(lines(&map)[0].len()));
    let read = Bounded::from_baggage(&map).unwrap();
    assert_eq!((read.name, read.local.len()), (longest.name, longest.local.len()));
    let Nothing {} = read.nothing;
    assert_eq!((read.tier, read.place), (longest.tier, longest.place));
    assert_eq!(Nothing::MAX_ENCODED_LEN, Some(0));
    // not each of their fields has a limit
    assert_eq!(WithoutLimit::MAX_ENCODED_LEN, None);
    assert_eq!(<ByHand as Baggage>::MAX_ENCODED_LEN, None);
}

#[derive(Baggage)]
struct WithoutLimit {
    #[baggage(max_len = 8)]
    name: String,
    other: Option<u8>,
}

#[test]
fn what_has_no_limit_has_that_of_a_request() {
    let value = WithoutLimit { name: "x".repeat(9), other: Some(1) };
    let error = written(&value).unwrap_err();
    assert_eq!(error.kind(), BaggageErrorKind::TooLong { max: 8 });
    let value = WithoutLimit { name: String::new(), ..value };
    assert_eq!(lines(&written(&value).unwrap()), ["name=,other=1"]);
}
