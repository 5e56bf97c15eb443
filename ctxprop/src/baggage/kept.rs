//! [`Kept`]: baggage as it came, which costs no more than somebody asks of it. Most requests are over without anybody having
//! looked at their baggage, and most of those that look want one key of it.
//!
//! # Invariants
//! 1. What is sent on, or looked at as a whole, was checked before. A line is checked once.
//! 2. What [`Kept::get`] says of a line that was not checked is what it would say of the checked one.
//! 3. The first few looks decode nothing but what they look for; then all of it is decoded, once.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderValue;

use super::fit::{count_members, is_fit, rebuild};
use super::grammar::{self, Item};
use super::lines::Lines;
use super::members::Members;
use super::search::each_with_key;
use super::{BaggageMap, MAX_BAGGAGE_MEMBERS};

pub(super) struct Kept {
    /// At least one member, once it was checked. What was not checked is one line.
    lines: Lines,
    /// [`FIT`], and how often it was looked at. Whoever loses what another thread has noted here does it once more.
    known: AtomicU8,
    more: OnceLock<Arc<More>>,
}

/// What is known beyond the lines.
enum More {
    /// They were decoded.
    Members(Members),
    /// They were not fit: what is kept of them, and how many members are not.
    Instead(BaggageMap, usize),
}

/// Whether the lines are valid, within limits, and have a member.
const FIT: u8 = 0x80;

/// How many looks one by one take about as long as decoding all.
const LOOKS: u8 = 8;

impl Kept {
    /// Lines that are valid, within limits and have at least one member.
    pub(super) fn checked(lines: Lines) -> Self {
        Kept { lines, known: AtomicU8::new(FIT), more: OnceLock::new() }
    }

    /// A line of which nothing is known.
    #[inline]
    pub(super) fn unchecked(line: HeaderValue) -> Self {
        Kept { lines: Lines::One(line), known: AtomicU8::new(0), more: OnceLock::new() }
    }

    fn note(&self, known: u8) {
        self.known.store(known, Ordering::Relaxed);
    }

    /// The lines, if they are fit, or else what is kept of them.
    #[inline]
    pub(super) fn lines(&self) -> Result<&Lines, &BaggageMap> {
        let known = self.known.load(Ordering::Relaxed);
        if known & FIT != 0 {
            return Ok(&self.lines);
        }
        match &self.lines {
            Lines::One(line) if is_fit(line.as_bytes()) => {
                self.note(known | FIT);
                Ok(&self.lines)
            }
            lines => self.instead().map_or(Ok(lines), |(instead, _)| Err(instead)),
        }
    }

    /// What is kept of lines that are not fit, and how many members of them are not.
    #[cold]
    fn instead(&self) -> Option<(&BaggageMap, usize)> {
        let more = self.more.get_or_init(|| {
            let came = self.lines.as_slice().iter().map(crate::field_value::FieldValue::from);
            let (kept, left_out) = rebuild(came);
            let kept = kept.map_or(BaggageMap::empty(), BaggageMap::received);
            Arc::new(More::Instead(kept, left_out.note()))
        });
        match &**more {
            More::Members(_) => None,
            More::Instead(instead, left_out) => Some((instead, *left_out)),
        }
    }

    /// How many members are not kept.
    pub(super) fn left_out(&self) -> usize {
        match self.lines() {
            Ok(_) => 0,
            Err(_) => self.instead().map_or(0, |(_, left_out)| left_out),
        }
    }

    pub(super) fn members(&self) -> &Members {
        let lines = match self.lines() {
            Ok(lines) => lines,
            Err(instead) => return instead.members(),
        };
        let decode = || Arc::new(More::Members(Members::decode(lines.as_slice())));
        match &**self.more.get_or_init(decode) {
            More::Members(members) => members,
            More::Instead(instead, _) => instead.members(),
        }
    }

    /// The value of the last member with this key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let known = self.known.load(Ordering::Relaxed);
        if let Lines::One(line) = &self.lines
            && known & !FIT < LOOKS
            && self.more.get().is_none()
        {
            self.note(known + 1);
            match look(line.as_bytes(), key) {
                Seen::Value(value) => return Some(value),
                Seen::Nothing => return None,
                Seen::Unclear => {}
            }
        }
        let members = self.members();
        members.find(key).map(|index| members.value(index))
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        let known = AtomicU8::new(self.known.load(Ordering::Relaxed));
        Kept { lines: self.lines.clone(), known, more: self.more.clone() }
    }
}

/// What one line says of a key.
enum Seen<'a> {
    Value(&'a str),
    Nothing,
    /// The value must be decoded, or there are more members than may be taken.
    Unclear,
}

/// Looks for the last valid member of a line with this key. What has another key is only counted: no comma is part of a
/// member, so a malformed one changes nothing for the others.
fn look<'a>(line: &'a [u8], key: &str) -> Seen<'a> {
    // The shortest item and its comma are one byte.
    if line.len() >= MAX_BAGGAGE_MEMBERS && count_members(line) > MAX_BAGGAGE_MEMBERS {
        return Seen::Unclear;
    }
    let mut found = None;
    each_with_key(line, key, |start| found = value_of(line, start, key).or(found.take()));
    let Some(value) = found else { return Seen::Nothing };
    let value = line.get(value).unwrap_or_default();
    match str::from_utf8(value) {
        Ok(text) if !value.contains(&b'%') => Seen::Value(text),
        _ => Seen::Unclear,
    }
}

/// Where the value is of the member that begins here, if it is one with this key.
#[cold]
fn value_of(line: &[u8], start: usize, key: &str) -> Option<Range<usize>> {
    let (Item::Member(member), _) = grammar::scan(line, start) else { return None };
    (line.get(member.key) == Some(key.as_bytes())).then_some(member.value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unchecked(line: &str) -> Option<BaggageMap> {
        HeaderValue::from_str(line).ok().map(BaggageMap::unchecked)
    }

    /// Of the same line, checked before anybody looks.
    fn checked(line: &str) -> BaggageMap {
        if is_fit(line.as_bytes()) {
            return BaggageMap::received(Lines::One(HeaderValue::from_str(line).unwrap()));
        }
        let (kept, _) = rebuild(std::iter::once(line.into()));
        kept.map_or(BaggageMap::empty(), BaggageMap::received)
    }

    fn agree(line: &str) {
        let Some(looked_up) = unchecked(line) else { return };
        let checked = checked(line);
        for key in ["a", "b", "aa", "", "a=", "zz"] {
            for _ in 0..2 {
                assert_eq!(looked_up.get(key), checked.get(key), "{key} of {line:?}");
            }
        }
        let lines = |map: &BaggageMap| map.header_lines().to_vec();
        for map in [looked_up, unchecked(line).unwrap(), unchecked(line).unwrap().clone()] {
            assert_eq!(map.is_empty(), checked.is_empty(), "{line:?}");
            assert_eq!(map.len(), checked.len(), "{line:?}");
            assert!(map.iter().eq(checked.iter()), "{line:?}");
            assert_eq!(lines(&map.without_private()), lines(&checked.without_private()));
            assert_eq!(lines(&map.retain_keys(&["a"])), lines(&checked.retain_keys(&["a"])));
        }
        assert_eq!(lines(&unchecked(line).unwrap()), lines(&checked), "{line:?}");
    }

    #[test]
    fn a_look_decides_nothing_that_a_check_would_decide_otherwise() {
        for line in [
            "a=1",
            "a=1,b=2,a=3",
            " a = 1 ;private, b=2",
            "a=1,a=mal formed",
            "a=mal\"formed,b",
            "",
            " ,, ",
            "b",
            "a=%41,b=%zz",
            "a=1;a=2,b=x;b=",
        ] {
            agree(line);
        }
        // More than are taken: the last one does not count.
        let many = (0..64).map(|n| format!("k{n}=1")).chain(["a=2".to_owned()]);
        agree(&many.collect::<Vec<_>>().join(","));
        // Items that are no members do not count.
        agree(&format!("a=1{},b=2", ",".repeat(100)));
    }

    proptest! {
        #[test]
        fn of_any_line(
            line in "[ab=,;% ]{0,24}",
            members in "([ab]{1,2}[ \t]?=[ \t]?[a-z%=(\"]{0,4}(;[ \t]?[a-z]{1,2}(=[a-z]?)?)?,?){0,6}",
        ) {
            agree(&line);
            agree(&members);
        }
    }

    #[test]
    fn it_is_decoded_after_some_looks_and_what_was_seen_stays() {
        let map = unchecked("a=1,b=2").unwrap();
        let first = map.get("a");
        for _ in 0..300 {
            assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some("1"), Some("2"), None));
        }
        assert_eq!(first, Some("1"));
    }
}
