//! Baggage as it is read: members with their values decoded, in one piece of memory.
//!
//! # Invariants
//!
//! 1. The text of each member is one stretch of `text`, in the order of `list`, without gaps; so
//!    are its properties in `properties`.
//! 2. A stretch begins with the key. That of a received member begins with the whole member as it
//!    came, which is what is sent on; decoded values follow where they differ.
//! 3. Keys are unique.
//! 4. The members are within [`MAX_BAGGAGE_MEMBERS`] and, as sent, within [`MAX_BAGGAGE_BYTES`].
//!    Whoever adds one sees to it.
//!
//! [`MAX_BAGGAGE_MEMBERS`]: super::MAX_BAGGAGE_MEMBERS
//! [`MAX_BAGGAGE_BYTES`]: super::MAX_BAGGAGE_BYTES

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use http::HeaderValue;

use super::grammar::{self, Item, RawMember};
use super::lines::{LineBuilder, Lines};

/// The property of a member that must not leave the mesh. It has no value.
pub(super) const PRIVATE: &str = "private";

#[derive(Clone)]
pub(super) struct Members {
    text: String,
    list: Vec<Member>,
    properties: Vec<Property>,
}

/// Ranges count from the beginning of the member's stretch.
#[derive(Clone)]
struct Member {
    stretch: Range<usize>,
    key_len: usize,
    value: Range<usize>,
    properties: Range<usize>,
    /// As sent, without the comma.
    wire_len: usize,
    received: bool,
    private: bool,
}

#[derive(Clone)]
struct Property {
    key: Range<usize>,
    value: Option<Range<usize>>,
}

impl Members {
    pub(super) const fn new() -> Self {
        Self { text: String::new(), list: Vec::new(), properties: Vec::new() }
    }

    /// What valid lines say. Of several members with one key the last counts.
    pub(super) fn decode(lines: &[HeaderValue]) -> Self {
        let mut members = Self::new();
        members.text.reserve(lines.iter().map(HeaderValue::len).sum());
        for line in lines.iter().map(HeaderValue::as_bytes) {
            let mut at = 0;
            while at <= line.len() {
                let (item, next) = grammar::scan(line, at);
                if let Item::Member(raw) = item {
                    members.push_received(line, &raw);
                }
                at = next;
            }
        }
        members
    }

    fn push_received(&mut self, line: &[u8], raw: &RawMember) {
        let mut private = false;
        if let Some(index) = self.find(ascii(line, &raw.key)) {
            // Lines that need no change are sent on with both.
            private = self.is_private(index);
            self.remove(index);
        }
        let (start, first) = (self.text.len(), self.properties.len());
        self.text.push_str(ascii(line, &raw.all));
        let value = self.push_decoded(line, raw, start, &raw.value);
        for property in grammar::properties(line, raw) {
            private |= property.value.is_none() && ascii(line, &property.key) == PRIVATE;
            let key = shift(&property.key, raw.all.start);
            let value = property.value.map(|value| self.push_decoded(line, raw, start, &value));
            self.properties.push(Property { key, value });
        }
        self.list.push(Member {
            stretch: start..self.text.len(),
            key_len: raw.key.len(),
            value,
            properties: first..self.properties.len(),
            wire_len: raw.all.len(),
            received: true,
            private,
        });
    }

    /// Where in the stretch that begins at `start` the value is, decoded.
    fn push_decoded(
        &mut self,
        line: &[u8],
        raw: &RawMember,
        start: usize,
        value: &Range<usize>,
    ) -> Range<usize> {
        match grammar::decode(line.get(value.clone()).unwrap_or_default()) {
            Cow::Borrowed(_) => shift(value, raw.all.start),
            Cow::Owned(decoded) => self.push_text(start, &decoded),
        }
    }

    /// Adds a member that is to be encoded. The key is new, and a token as those of properties.
    pub(super) fn push(&mut self, key: &str, value: &str, properties: &[(&str, Option<&str>)]) {
        let (start, first) = (self.text.len(), self.properties.len());
        self.text.push_str(key);
        let value_at = self.push_text(start, value);
        for (key, value) in properties {
            let key = self.push_text(start, key);
            let value = value.map(|value| self.push_text(start, value));
            self.properties.push(Property { key, value });
        }
        self.list.push(Member {
            stretch: start..self.text.len(),
            key_len: key.len(),
            value: value_at,
            properties: first..self.properties.len(),
            wire_len: wire_len(key, value, properties),
            received: false,
            private: properties.contains(&(PRIVATE, None)),
        });
    }

    fn push_text(&mut self, start: usize, text: &str) -> Range<usize> {
        let from = self.text.len() - start;
        self.text.push_str(text);
        from..from + text.len()
    }

    /// Removes a member and keeps invariant 1.
    pub(super) fn remove(&mut self, index: usize) {
        if index >= self.list.len() {
            return;
        }
        let gone = self.list.remove(index);
        self.text.drain(gone.stretch.clone());
        self.properties.drain(gone.properties.clone());
        for later in self.list.iter_mut().skip(index) {
            later.stretch = shift(&later.stretch, gone.stretch.len());
            later.properties = shift(&later.properties, gone.properties.len());
        }
    }

    pub(super) fn find(&self, key: &str) -> Option<usize> {
        (0..self.list.len()).find(|&index| self.key(index) == key)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn key(&self, index: usize) -> &str {
        self.list.get(index).map_or("", |member| self.text_of(member, &(0..member.key_len)))
    }

    pub(super) fn value(&self, index: usize) -> &str {
        self.list.get(index).map_or("", |member| self.text_of(member, &member.value))
    }

    pub(super) fn properties(&self, index: usize) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.list.get(index).into_iter().flat_map(|member| {
            self.properties.get(member.properties.clone()).unwrap_or_default().iter().map(|it| {
                let value = it.value.as_ref().map(|value| self.text_of(member, value));
                (self.text_of(member, &it.key), value)
            })
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
            if member.received {
                let raw = self.text_of(member, &(0..member.wire_len));
                line.extend_from_slice(raw.as_bytes());
            } else {
                encode_member(line, self.key(index), self.value(index), self.properties(index));
            }
        }
        lines.finish().unwrap_or_else(|| Lines::Many(Arc::new([])))
    }

    fn text_of(&self, member: &Member, range: &Range<usize>) -> &str {
        let stretch = self.text.get(member.stretch.clone()).unwrap_or_default();
        stretch.get(range.clone()).unwrap_or_default()
    }
}

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
    range.start - by..range.end - by
}

/// What the grammar has found to be ASCII.
fn ascii<'a>(line: &'a [u8], range: &Range<usize>) -> &'a str {
    str::from_utf8(line.get(range.clone()).unwrap_or_default()).unwrap_or_default()
}
