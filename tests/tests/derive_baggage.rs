//! `#[derive(Baggage)]`: what is written is read back, on the other side of real header lines.

#![deny(warnings, clippy::pedantic)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::{self, Debug, Display};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use ctxprop::wire;
use ctxprop::{Background, Baggage, BaggageError, BaggageErrorKind, BaggageMap, Ctx};
use http::{HeaderMap, HeaderValue};

#[derive(Baggage, Debug, Clone, PartialEq)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user_id: u64,
    #[baggage(max_len = 8)]
    tenant: Option<String>,
}

/// What arrives of what is sent.
fn sent(map: &BaggageMap) -> BaggageMap {
    let mut headers = HeaderMap::new();
    for line in map.header_lines() {
        headers.append("baggage", line.clone());
    }
    wire::baggage::extract(&headers)
}

fn received(line: &str) -> BaggageMap {
    let line = HeaderValue::from_str(line).unwrap();
    wire::baggage::extract(
        &[(http::HeaderName::from_static("baggage"), line)]
            .into_iter()
            .collect::<http::HeaderMap>(),
    )
}

fn written<B: Baggage>(value: &B) -> Result<BaggageMap, BaggageError> {
    let mut out = BaggageMap::builder();
    value.to_baggage(&mut out)?;
    Ok(out.build())
}

fn lines(map: &BaggageMap) -> Vec<&str> {
    map.header_lines().iter().map(|line| line.to_str().unwrap()).collect()
}

fn round_trip<B: Baggage + PartialEq + Debug>(value: &B) {
    assert_eq!(B::from_baggage(&sent(&written(value).unwrap())).as_ref(), Ok(value));
}

fn caller(tenant: Option<&str>) -> Caller {
    Caller { user_id: 7, tenant: tenant.map(str::to_owned) }
}

#[test]
fn what_is_written_is_read_on_the_other_side() {
    let map = written(&caller(Some("a, b"))).unwrap();
    assert_eq!(lines(&map), ["user.id=7,tenant=a%2C%20b"]);
    round_trip(&caller(Some("a, b")));
    round_trip(&caller(Some("")));
    round_trip(&caller(None));
    assert_eq!(lines(&written(&caller(None)).unwrap()), ["user.id=7"]);
}

#[test]
fn through_a_context() {
    let ctx = Ctx::background().with_baggage(&caller(Some("acme"))).unwrap();
    assert_eq!(ctx.baggage::<Caller>(), Ok(caller(Some("acme"))));
    let missing = Ctx::background().baggage::<Caller>().unwrap_err();
    assert_eq!(missing, BaggageError::missing("user.id"));
}

#[test]
fn what_is_under_other_keys_stays() {
    let mut out = received("before=1,user.id=1;p=2,after=3").to_builder();
    caller(Some("x")).to_baggage(&mut out).unwrap();
    assert_eq!(lines(&out.build()), ["before=1,after=3,user.id=7,tenant=x"]);
}

#[test]
fn none_removes_what_was_there() {
    let mut out = received("tenant=of-the-caller,other=1").to_builder();
    caller(None).to_baggage(&mut out).unwrap();
    assert_eq!(lines(&out.build()), ["other=1,user.id=7"]);
}

#[test]
fn errors_name_the_key_and_the_type_and_not_the_value() {
    let read = |line: &str| Caller::from_baggage(&received(line)).unwrap_err();
    assert_eq!(read("tenant=a"), BaggageError::missing("user.id"));
    for line in ["user.id=", "user.id=-1", "user.id=secret", "user.id=%207"] {
        assert_eq!(read(line), BaggageError::invalid("user.id", "u64"), "{line}");
    }
    let error = read("user.id=secret");
    assert_eq!(error.to_string(), "baggage `user.id` is not a valid u64");
    assert!(!format!("{error:?}").contains("secret"));
    // keys have case
    assert_eq!(read("User.Id=7"), BaggageError::missing("user.id"));
}

#[test]
fn max_len_counts_the_bytes_of_the_value_as_it_is_not_as_it_is_sent() {
    // é is two bytes, and six as sent
    round_trip(&caller(Some("éééé")));
    let too_long = BaggageError::too_long("tenant", 8);
    assert_eq!(written(&caller(Some("ééééa"))).unwrap_err(), too_long);
    let read = Caller::from_baggage(&received("user.id=7,tenant=123456789"));
    assert_eq!(read, Err(too_long));
    // looked at before the value is: what is too long is not parsed
    let zeros = format!("user.id={:021}", 7);
    let read = Caller::from_baggage(&received(&zeros));
    assert_eq!(read, Err(BaggageError::too_long("user.id", 20)));
}

#[derive(Baggage, Debug, PartialEq)]
struct Defaults {
    #[baggage(default)]
    attempt: u32,
    #[baggage(default = Tier::Free)]
    tier: Tier,
    #[baggage(default = String::from("eu"), key = "region", max_len = 8)]
    place: String,
    #[baggage(default = { let (map, out) = (1, 2); map + out })]
    block: i8,
    #[baggage(skip)]
    cache: Vec<u8>,
    #[baggage(skip)]
    seen: bool,
}

#[derive(Debug, PartialEq)]
enum Tier {
    Free,
    Gold,
}

impl FromStr for Tier {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "free" => Ok(Tier::Free),
            "gold" => Ok(Tier::Gold),
            _ => Err(()),
        }
    }
}

impl Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::Free => "free",
            Tier::Gold => "gold",
        })
    }
}

#[test]
fn what_is_absent_has_its_default_and_what_is_wrong_does_not() {
    let defaults = Defaults {
        attempt: 0,
        tier: Tier::Free,
        place: "eu".to_owned(),
        block: 3,
        cache: Vec::new(),
        seen: false,
    };
    assert_eq!(Defaults::from_baggage(&BaggageMap::empty()).as_ref(), Ok(&defaults));
    let read = Defaults::from_baggage(&received("tier=gold,attempt=2,cache=1,seen=true"));
    let expected = Defaults { attempt: 2, tier: Tier::Gold, ..defaults };
    assert_eq!(read, Ok(expected));
    let wrong = Defaults::from_baggage(&received("tier=Gold"));
    assert_eq!(wrong, Err(BaggageError::invalid("tier", "Tier")));
    let long = Defaults::from_baggage(&received("region=antarctica"));
    assert_eq!(long, Err(BaggageError::too_long("region", 8)));
}

#[test]
fn a_default_is_written_and_what_is_skipped_is_not() {
    let value = Defaults {
        attempt: 0,
        tier: Tier::Free,
        place: "eu".to_owned(),
        block: 3,
        cache: vec![1],
        seen: true,
    };
    let map = written(&value).unwrap();
    assert_eq!(lines(&map), ["attempt=0,tier=free,region=eu,block=3"]);
    let read = Defaults::from_baggage(&map).unwrap();
    assert!(read.cache.is_empty() && !read.seen);
}

#[derive(Baggage, Debug, PartialEq)]
struct Expected {
    r#type: char,
    path: ::std::option::Option<std::net::Ipv4Addr>,
    qualified: Option<<u8 as Twice>::Of<u8>>,
    #[baggage(default = List(PhantomData))]
    list: List<fn(u8) -> u8>,
    array: Option<List<[u8; 2]>>,
}

trait Twice {
    type Of<T>;
}

impl Twice for u8 {
    type Of<T> = T;
}

#[derive(Debug, PartialEq)]
struct List<T>(PhantomData<T>);

impl<T> FromStr for List<T> {
    type Err = ();
    fn from_str(_: &str) -> Result<Self, ()> {
        Err(())
    }
}

impl<T> Display for List<T> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[test]
fn the_type_is_named_as_it_is_written() {
    for (line, expected) in [
        ("type=ab", "char"),
        ("type=a,path=7", "std::net::Ipv4Addr"),
        ("type=a,qualified=256", "<u8 as Twice>::Of<u8>"),
        ("type=a,list=x", "List<fn(u8) -> u8>"),
        ("type=a,array=x", "List<[u8; 2]>"),
    ] {
        let error = Expected::from_baggage(&received(line)).unwrap_err();
        assert_eq!(error.kind(), BaggageErrorKind::Invalid { expected });
    }
}

#[test]
fn a_value_that_cannot_be_written_is_an_error_and_no_panic() {
    let value =
        Expected { r#type: 'a', path: None, qualified: None, list: List(PhantomData), array: None };
    assert_eq!(written(&value).unwrap_err().key(), "list");
}

#[derive(Baggage, Debug, PartialEq)]
struct Secret {
    #[baggage(private)]
    email: String,
    #[baggage(private, key = "session")]
    session: Option<String>,
    tier: String,
}

#[test]
fn what_is_private_stays_in_the_mesh() {
    let secret = Secret {
        email: "a@example.com".to_owned(),
        session: Some("42".to_owned()),
        tier: "gold".to_owned(),
    };
    let map = written(&secret).unwrap();
    assert!(map.is_private("email") && map.is_private("session") && !map.is_private("tier"));
    assert_eq!(lines(&map.without_private()), ["tier=gold"]);
    assert!(!format!("{map:?}").contains("example"));
    round_trip(&secret);
}

/// Bounds come from the derive where a parameter is the type of a field, and stay where they are written.
#[derive(Baggage, Debug, PartialEq)]
struct Generic<T, U: FromStr + Display = u8, V = u8, W = String, const N: usize = 2>
where
    U: PartialEq,
{
    tag: T,
    same: Option<T>,
    bounded: U,
    #[baggage(default)]
    defaulted: V,
    #[baggage(skip)]
    skipped: W,
    #[baggage(skip)]
    marker: PhantomData<[W; N]>,
}

#[test]
fn generics() {
    let value = Generic::<_, _, _, _, 7> {
        tag: IpAddr::from([127, 0, 0, 1]),
        same: None,
        bounded: NonZeroU32::MIN,
        defaulted: -1_i8,
        skipped: (),
        marker: PhantomData,
    };
    assert_eq!(lines(&written(&value).unwrap()), ["tag=127.0.0.1,bounded=1,defaulted=-1"]);
    round_trip(&value);
    let error = Generic::<u8>::from_baggage(&received("tag=1,bounded=256")).unwrap_err();
    assert_eq!(error, BaggageError::invalid("bounded", "U"));
}

#[derive(Baggage, Debug, PartialEq)]
struct Text {
    text: String,
    #[baggage(key = "!#$%&'*+-.^_`|~")]
    odd_key: String,
}

#[test]
fn any_text_comes_back_as_it_was() {
    let all: Vec<char> = (0..=0x0010_FFFF).filter_map(char::from_u32).collect();
    for (index, chars) in all.chunks(500).enumerate() {
        let text: String = chars.iter().collect();
        round_trip(&Text { odd_key: format!(" {index}\t\0\r\n%20"), text });
    }
}

/// Everything that is sent is within limits, and says which key was one too many.
#[test]
fn what_does_not_fit_names_its_key() {
    let text = |len: usize| Text { text: "x".repeat(len), odd_key: String::new() };
    round_trip(&text(8192 - "text=".len() - ",!#$%&'*+-.^_`|~=".len()));
    let error = written(&text(8192 - "text=".len())).unwrap_err();
    assert_eq!(error.key(), "!#$%&'*+-.^_`|~");
    assert_eq!(error.kind(), BaggageErrorKind::TooLarge { max: 8192 });
}

/// A struct that somebody's macro writes.
macro_rules! baggage_struct {
    ($name:ident { $($field:ident: $ty:ty = $key:literal,)* }) => {
        #[derive(Baggage, Debug, PartialEq)]
        struct $name {
            $(#[baggage(key = $key, max_len = 20)] $field: $ty,)*
        }
    };
}

baggage_struct!(FromMacro { id: u64 = "user.id", name: Option<String> = "user.name", });

#[test]
fn from_a_macro() {
    let value = FromMacro { id: 7, name: None };
    assert_eq!(lines(&written(&value).unwrap()), ["user.id=7"]);
    round_trip(&value);
}

#[derive(Baggage, Debug, PartialEq)]
struct NoFields {}

#[derive(Baggage, Debug, PartialEq)]
struct NothingTravels {
    #[baggage(skip)]
    local: u8,
}

#[test]
fn nothing_to_carry() {
    round_trip(&NoFields {});
    round_trip(&NothingTravels { local: 0 });
    assert!(written(&NothingTravels { local: 1 }).unwrap().is_empty());
}

mod elsewhere {
    pub(crate) mod vendored {
        pub(crate) use ctxprop as renamed;
    }
}

#[derive(Baggage, Debug, PartialEq)]
#[baggage(crate = crate::elsewhere::vendored::renamed)]
struct ByPath {
    id: u64,
}

#[derive(Baggage, Debug, PartialEq)]
#[baggage(crate = "elsewhere::vendored::renamed")]
struct ByString {
    id: u64,
}

/// Nothing that is in scope where the struct is, or is not, makes a difference.
#[allow(dead_code, non_camel_case_types)]
mod hygiene {
    #![no_implicit_prelude]

    pub(crate) mod std {}
    pub(crate) mod core {}
    pub(crate) mod alloc {}
    pub(crate) mod ctxprop {}
    pub(crate) mod baggage {}
    pub(crate) mod map {}
    pub(crate) struct Result;
    pub(crate) struct Option;
    pub(crate) struct String;
    pub(crate) struct Default;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct Ok;
    pub(crate) struct Err;
    pub(crate) struct u64;
    pub(crate) trait Baggage {}
    pub(crate) trait FromStr {}
    pub(crate) trait Display {}

    #[derive(::ctxprop::Baggage)]
    pub(crate) struct Caller<T> {
        #[baggage(key = "user.id", max_len = 20)]
        pub(crate) map: ::std::primitive::u64,
        pub(crate) out: ::std::option::Option<::std::string::String>,
        #[baggage(default)]
        pub(crate) private: ::std::string::String,
        #[baggage(default = ::std::string::String::new())]
        pub(crate) empty: ::std::string::String,
        #[baggage(default = 3)]
        pub(crate) member: ::std::primitive::i32,
        #[baggage(skip)]
        pub(crate) value: ::std::vec::Vec<T>,
        #[baggage(private)]
        pub(crate) tag: T,
    }
}

#[test]
fn hygiene() {
    let value = hygiene::Caller {
        map: 1,
        out: None,
        private: "p".to_owned(),
        empty: String::new(),
        member: 4,
        value: Vec::new(),
        tag: 'x',
    };
    let map = written(&value).unwrap();
    assert_eq!(lines(&map), ["user.id=1,private=p,empty=,member=4,tag=x;private"]);
    let read = hygiene::Caller::<char>::from_baggage(&map).unwrap();
    assert_eq!((read.map, read.tag), (1, 'x'));
    round_trip(&ByPath { id: 1 });
    round_trip(&ByString { id: 1 });
}

/// What is deprecated is so for its users, not for the derive, and what the struct allows holds there too.
mod deprecated {
    #[allow(dead_code)]
    #[deprecated]
    #[derive(ctxprop::Baggage)]
    pub(crate) struct Old {
        pub(crate) id: u64,
    }

    #[allow(dead_code)]
    #[derive(ctxprop::Baggage)]
    pub(crate) struct OldField {
        #[deprecated]
        pub(crate) id: u64,
    }

    #[deprecated]
    type Id = u64;

    #[allow(dead_code)]
    #[expect(deprecated, reason = "not gone yet")]
    #[derive(ctxprop::Baggage)]
    pub(crate) struct OldType {
        pub(crate) id: Id,
    }
}
