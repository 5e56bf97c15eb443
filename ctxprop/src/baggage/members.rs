//! Baggage as it is read: members with their values decoded, in one piece of memory.
//!
//! # Invariants
//!
//! 1. All ranges of members and properties lie in `text` and begin and end between characters. What a removed
//!    member leaves there is no member's, and goes with the next copy.
//! 2. A received member has the stretch that came, which is what is sent on; its key lies in it, and so do decoded values
//!    that are the same.
//! 3. Keys are unique.
//! 4. The members are within [`MAX_BAGGAGE_MEMBERS`] and, as sent, within [`MAX_BAGGAGE_BYTES`].
//!    Whoever adds one sees to it.
//!
//! [`MAX_BAGGAGE_MEMBERS`]: super::MAX_BAGGAGE_MEMBERS
//! [`MAX_BAGGAGE_BYTES`]: super::MAX_BAGGAGE_BYTES

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use http::HeaderValue;

use super::MAX_BAGGAGE_MEMBERS;
use super::grammar::{self, is_plain};
use super::lines::{LineBuilder, Lines};
use super::received::{self, Keys, Received, means_private};

#[derive(Clone)]
pub(super) struct Members {
    text: String,
    list: Vec<Member>,
    properties: Vec<Property>,
}

#[derive(Clone)]
struct Member {
    /// As it came, where it did.
    received: Option<Range<usize>>,
    key: Range<usize>,
    value: Range<usize>,
    /// Of the list of all properties.
    properties: Range<usize>,
    /// As sent, without the comma.
    wire_len: usize,
    private: bool,
}

#[derive(Clone)]
struct Property {
    key: Range<usize>,
    value: Option<Range<usize>>,
}

/// The keys of the members that are decoded so far.
struct DecodedKeys {
    keys: Keys,
    /// The members that another of their key comes after: one bit a place, of which there are at most 64.
    superseded: u64,
}

impl Members {
    pub(super) const fn new() -> Self {
        Self { text: String::new(), list: Vec::new(), properties: Vec::new() }
    }

    /// What valid lines say. Of several members with one key the last counts.
    pub(super) fn decode(lines: &[HeaderValue]) -> Self {
        let bytes = lines.iter().map(HeaderValue::len).sum();
        let mut members = Self {
            text: String::with_capacity(bytes),
            // Most members are about as long as that, and the list grows where they are shorter.
            list: Vec::with_capacity((bytes / 16 + 1).min(MAX_BAGGAGE_MEMBERS)),
            properties: Vec::new(),
        };
        let mut keys = DecodedKeys { keys: Keys::new(), superseded: 0 };
        for (number, line) in lines.iter().map(HeaderValue::as_bytes).enumerate() {
            let start = members.text.len();
            // The grammar has found it to be ASCII.
            members.text.push_str(str::from_utf8(line).unwrap_or_default());
            if !is_plain(line) {
                let is_encoded = line.contains(&b'%');
                received::scan(line, number, &mut |member| {
                    members.push_received(&member, start, is_encoded, &mut keys);
                });
                continue;
            }
            let mut at = 0;
            while at <= line.len() {
                let (member, next) = received::divide(line, number, at);
                members.push_received(&member, start, false, &mut keys);
                at = next;
            }
        }
        if keys.superseded != 0 {
            let mut places = 0..MAX_BAGGAGE_MEMBERS;
            let counts = |place: usize| keys.superseded & 1 << place == 0;
            members.list.retain(|_| places.next().is_none_or(counts));
        }
        members
    }

    /// All as key and value, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|member| (self.text_of(&member.key), self.text_of(&member.value)))
    }

    /// Adds a member of the line that begins at `start` in the text, and may have something to decode in it. Always
    /// inlined: what a plain line has not takes no time there.
    #[inline(always)]
    fn push_received(
        &mut self,
        member: &Received<'_>,
        start: usize,
        is_encoded: bool,
        keys: &mut DecodedKeys,
    ) {
        let (raw, place) = (&member.raw, self.list.len());
        let mut private = member.private;
        let is_same = |place: usize| self.key(place).as_bytes() == member.key();
        if let Some(earlier) = keys.keys.put(member.key(), place, is_same) {
            keys.superseded |= 1 << (earlier % MAX_BAGGAGE_MEMBERS);
            private |= self.is_private(earlier);
        }
        let first = self.properties.len();
        let decoded = |members: &mut Self, value: &Range<usize>| match is_encoded {
            true => members.push_decoded(shift(value, start)),
            false => shift(value, start),
        };
        let value = decoded(self, &raw.value);
        for property in member.properties() {
            let value = property.value.map(|value| decoded(self, &value));
            self.properties.push(Property { key: shift(&property.key, start), value });
        }
        self.list.push(Member {
            received: Some(shift(&raw.all, start)),
            key: shift(&raw.key, start),
            value,
            properties: first..self.properties.len(),
            wire_len: raw.all.len(),
            private,
        });
    }

    /// Where in the text the value is, decoded.
    fn push_decoded(&mut self, value: Range<usize>) -> Range<usize> {
        let text = self.text_of(&value);
        if !text.contains('%') {
            return value;
        }
        let decoded = grammar::decode(text.as_bytes()).into_owned();
        self.push_text(&decoded)
    }

    /// Adds a member that is to be encoded. The key is new, and a token as those of properties.
    pub(super) fn push(&mut self, key: &str, value: &str, properties: &[(&str, Option<&str>)]) {
        let first = self.properties.len();
        let key_at = self.push_text(key);
        let value_at = self.push_text(value);
        for (key, value) in properties {
            let key = self.push_text(key);
            let value = value.map(|value| self.push_text(value));
            self.properties.push(Property { key, value });
        }
        self.list.push(Member {
            received: None,
            key: key_at,
            value: value_at,
            properties: first..self.properties.len(),
            wire_len: wire_len(key, value, properties),
            private: properties.iter().any(|(key, _)| means_private(key.as_bytes())),
        });
    }

    fn push_text(&mut self, text: &str) -> Range<usize> {
        let from = self.text.len();
        self.text.push_str(text);
        from..self.text.len()
    }

    /// Removes a member.
    pub(super) fn remove(&mut self, index: usize) {
        if index < self.list.len() {
            self.list.remove(index);
        }
        // A builder that replaces one member again and again keeps the texts of all of them otherwise.
        let live = self.list.iter().map(|member| member.wire_len).sum::<usize>();
        if self.text.len() > 2 * live + MUCH {
            *self = self.copy_of(|_| true);
        }
    }

    /// The members that `keep` names, and nothing else in memory.
    pub(super) fn copy_of(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut copy = Self::new();
        for (_, member) in self.list.iter().enumerate().filter(|(index, _)| keep(*index)) {
            let received = member.received.clone();
            let at = copy.text.len();
            if let Some(received) = &received {
                copy.text.push_str(self.text_of(received));
            }
            // What lies in the stretch that came is there already.
            let mut carry = |range: &Range<usize>| match &received {
                Some(all) if all.start <= range.start && range.end <= all.end => {
                    range.start - all.start + at..range.end - all.start + at
                }
                _ => copy.push_text(self.text_of(range)),
            };
            let (key, value) = (carry(&member.key), carry(&member.value));
            let properties = self.properties.get(member.properties.clone()).unwrap_or_default();
            let properties: Vec<_> = properties
                .iter()
                .map(|it| Property {
                    key: carry(&it.key),
                    value: it.value.as_ref().map(&mut carry),
                })
                .collect();
            let first = copy.properties.len();
            copy.properties.extend(properties);
            copy.list.push(Member {
                received: received.map(|all| at..at + all.len()),
                key,
                value,
                properties: first..copy.properties.len(),
                ..*member
            });
        }
        copy
    }

    #[cfg(test)]
    pub(super) fn text_len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.list
            .iter()
            .position(|member| member.key.len() == key.len() && self.text_of(&member.key) == key)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn key(&self, index: usize) -> &str {
        self.list.get(index).map_or("", |member| self.text_of(&member.key))
    }

    pub(super) fn value(&self, index: usize) -> &str {
        self.list.get(index).map_or("", |member| self.text_of(&member.value))
    }

    pub(super) fn properties(&self, index: usize) -> impl Iterator<Item = (&str, Option<&str>)> {
        let of = self.list.get(index).map_or(0..0, |member| member.properties.clone());
        self.properties.get(of).unwrap_or_default().iter().map(|it| {
            let value = it.value.as_ref().map(|value| self.text_of(value));
            (self.text_of(&it.key), value)
        })
    }

    pub(super) fn is_private(&self, index: usize) -> bool {
        self.list.get(index).is_some_and(|member| member.private)
    }

    /// How many bytes the member takes on the wire, a comma included.
    pub(super) fn cost(&self, index: usize) -> usize {
        self.list.get(index).map_or(0, |member| member.wire_len + 1)
    }

    /// Encodes all members, those received as they came. There is at least one.
    pub(super) fn to_lines(&self) -> Lines {
        let mut lines = LineBuilder::default();
        for (index, member) in self.list.iter().enumerate() {
            let line = lines.member(member.wire_len, member.private);
            match &member.received {
                Some(all) => line.extend_from_slice(self.text_of(all).as_bytes()),
                None => {
                    encode_member(line, self.key(index), self.value(index), self.properties(index));
                }
            }
        }
        lines.finish().unwrap_or_else(|| Lines::Many(Arc::new([])))
    }

    #[inline]
    fn text_of(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// What removed members may leave in the text before it is copied without them.
const MUCH: usize = 1_024;

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for index in 0..self.len() {
            if self.is_private(index) {
                map.entry(&self.key(index), &format_args!("<private>"));
            } else {
                map.entry(&self.key(index), &self.value(index));
            }
        }
        map.finish()
    }
}

fn encode_member<'a>(
    line: &mut Vec<u8>,
    key: &str,
    value: &str,
    properties: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) {
    line.extend_from_slice(key.as_bytes());
    encode_value(line, value);
    for (key, value) in properties {
        line.push(b';');
        line.extend_from_slice(key.as_bytes());
        if let Some(value) = value {
            encode_value(line, value);
        }
    }
}

fn encode_value(line: &mut Vec<u8>, value: &str) {
    line.push(b'=');
    line.extend(grammar::encode(value).flat_map(str::bytes));
}

/// How many bytes [`encode_member`] writes.
pub(super) fn wire_len(key: &str, value: &str, properties: &[(&str, Option<&str>)]) -> usize {
    let value_len = |value: &str| 1 + grammar::encoded_len(value);
    let property_len =
        |(key, value): &(&str, Option<&str>)| 1 + key.len() + value.map_or(0, value_len);
    key.len() + value_len(value) + properties.iter().map(property_len).sum::<usize>()
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}
