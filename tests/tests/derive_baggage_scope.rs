//! `#[derive(Baggage)]` wherever a struct can be: generic, written by a macro, without a prelude, deprecated.

#![deny(warnings, clippy::pedantic)]

use std::fmt::Display;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;

use ctxprop::{Baggage, BaggageError};

#[path = "support/baggage.rs"]
mod support;

use support::{lines, received, round_trip, written};

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
