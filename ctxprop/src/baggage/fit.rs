//! Whether a whole line is nothing but well-formed members, within limits, and what is taken of one that is not.
//!
//! The first is a finite automaton, at three instructions a byte. It says the same as
//! [`scan`](super::grammar::scan) over the line, which a test holds it to.

use super::grammar::{Item, OCTET, TOKEN, WHITE, class_of, scan};
use super::lines::{LineBuilder, Lines, MAX_LINE};
use super::search::each_with_key;
use super::{MAX_BAGGAGE_BYTES, MAX_BAGGAGE_MEMBERS};
use crate::field_value::FieldValue;

/// What has been read of a member. States are multiples of 256, to leave room for a byte.
#[derive(Clone, Copy)]
#[repr(u16)]
enum State {
    /// Nothing yet but white space, at the beginning or behind a comma.
    Start = 0,
    Key = 0x100,
    /// White space behind the key.
    AfterKey = 0x200,
    /// The `=` of the member or of a property, and white space.
    BeforeValue = 0x300,
    Value = 0x400,
    /// White space behind the value.
    AfterValue = 0x500,
    /// A `;` and white space.
    BeforeProperty = 0x600,
    PropertyKey = 0x700,
    /// White space behind a property's key.
    AfterPropertyKey = 0x800,
    Malformed = 0x900,
}
use State::*;

/// What a byte may be.
#[derive(Clone, Copy)]
enum ByteClass {
    Token,
    /// Not of a token, and without another meaning.
    Octet,
    White,
    Equals,
    Semicolon,
    Comma,
    Other,
}

impl State {
    /// `list-member = key OWS "=" OWS value *( OWS ";" OWS property )`
    const fn next(self, kind: ByteClass) -> State {
        match (self, kind) {
            (Start, ByteClass::White) => Start,
            (Start | Key, ByteClass::Token) => Key,
            (Key | AfterKey, ByteClass::White) => AfterKey,
            (Key | AfterKey, ByteClass::Equals) => BeforeValue,
            (BeforeValue, ByteClass::White) => BeforeValue,
            (BeforeValue | Value, ByteClass::Token | ByteClass::Octet | ByteClass::Equals) => Value,
            (Value | AfterValue, ByteClass::White) => AfterValue,
            (BeforeProperty, ByteClass::White) => BeforeProperty,
            (BeforeProperty | PropertyKey, ByteClass::Token) => PropertyKey,
            (PropertyKey | AfterPropertyKey, ByteClass::White) => AfterPropertyKey,
            (PropertyKey | AfterPropertyKey, ByteClass::Equals) => BeforeValue,
            (_, ByteClass::Semicolon) if self.is_complete() => BeforeProperty,
            (_, ByteClass::Comma) if self.is_complete() => Start,
            _ => Malformed,
        }
    }

    /// Whether a member may end here.
    const fn is_complete(self) -> bool {
        matches!(self, BeforeValue | Value | AfterValue | PropertyKey | AfterPropertyKey)
    }
}

const STATES: [State; 10] = [
    Start,
    Key,
    AfterKey,
    BeforeValue,
    Value,
    AfterValue,
    BeforeProperty,
    PropertyKey,
    AfterPropertyKey,
    Malformed,
];

/// What a byte is in the grammar.
const fn kind(byte: u8) -> ByteClass {
    let class = class_of(byte);
    match byte {
        b'=' => ByteClass::Equals,
        b';' => ByteClass::Semicolon,
        b',' => ByteClass::Comma,
        _ if class & TOKEN != 0 => ByteClass::Token,
        _ if class & OCTET != 0 => ByteClass::Octet,
        _ if class & WHITE != 0 => ByteClass::White,
        _ => ByteClass::Other,
    }
}

/// The state behind each byte, by the state before it and the byte in one number. It has as many places as twelve bits
/// can say, so that no index is out of bounds.
static NEXT: [State; 0x1000] = {
    let mut next = [Malformed; 0x1000];
    let mut index = 0;
    while index < STATES.len() * 256 {
        let (state, byte) = (STATES[index / 256], (index % 256) as u8);
        next[state as usize | byte as usize] = state.next(kind(byte));
        index += 1;
    }
    next
};

/// Whether the line has nothing else: no malformed member and no empty one.
#[inline]
fn is_well_formed(line: &[u8]) -> bool {
    let step = |state: State, byte: &u8| NEXT[state as usize | usize::from(*byte)];
    let (chunks, rest) = line.as_chunks::<16>();
    let mut state = Start;
    for chunk in chunks {
        state = chunk.iter().fold(state, step);
    }
    rest.iter().fold(state, step).is_complete()
}

/// How many items a line has, and members where it is well-formed.
pub(super) fn count_members(line: &[u8]) -> usize {
    // No comma is part of a member. They are counted in bytes, a chunk at a time, for the compiler's vectors: the longest
    // chunk that fits in a byte and is nothing but whole vectors.
    let commas = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(*byte == b',')).sum::<u8>();
    1 + line.chunks(240).map(|chunk| usize::from(commas(chunk))).sum::<usize>()
}

/// Whether the line can be sent on as it is: well-formed, short enough, and within limits.
#[inline]
pub(crate) fn is_fit(line: &[u8]) -> bool {
    // the shortest member and its comma are three bytes
    let few = || line.len() < 3 * MAX_BAGGAGE_MEMBERS || count_members(line) <= MAX_BAGGAGE_MEMBERS;
    line.len() <= MAX_LINE && is_well_formed(line) && few()
}

/// How many members were left out, and why.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    pub(crate) malformed: usize,
    pub(crate) beyond: usize,
}

/// Copies the members that are valid and fit, each as it came but for the white space around it.
pub(crate) fn rebuild<'a>(lines: impl Iterator<Item = FieldValue<'a>>) -> (Option<Lines>, LeftOut) {
    let mut taken = Taken::default();
    for line in lines {
        let mut at = 0;
        while at <= line.as_bytes().len() {
            at = taken.take(line, at);
        }
    }
    taken.done()
}

/// The same of the members with these keys. What has another one is neither checked nor counted, so that a stranger's costs
/// next to nothing.
pub(crate) fn rebuild_keys<'a, K: AsRef<str>>(
    lines: impl Iterator<Item = FieldValue<'a>>,
    keys: &[K],
) -> (Option<Lines>, LeftOut) {
    let mut taken = Taken::default();
    for line in lines {
        let mut places = Vec::new();
        for key in keys {
            each_with_key(line.as_bytes(), key.as_ref(), |start| places.push(start));
        }
        // They stay in their order, and a key that is named twice is one.
        places.sort_unstable();
        places.dedup();
        for start in places {
            taken.take(line, start);
        }
    }
    taken.done()
}

/// What was taken so far.
#[derive(Default)]
struct Taken {
    kept: LineBuilder,
    members: usize,
    bytes: usize,
    left_out: LeftOut,
}

impl Taken {
    /// Takes what begins at `start`, as far as it may, and says where the next item begins.
    #[cold]
    fn take(&mut self, line: FieldValue<'_>, start: usize) -> usize {
        let (item, next) = scan(line.as_bytes(), start);
        match item {
            Item::Empty => {}
            Item::Malformed => self.left_out.malformed += 1,
            Item::Member(member) => {
                let (len, cost) = (member.all.len(), member.all.len() + 1);
                let is_full = self.members == MAX_BAGGAGE_MEMBERS;
                if is_full || self.bytes + cost > MAX_BAGGAGE_BYTES + 1 {
                    self.left_out.beyond += 1;
                    return next;
                }
                (self.members, self.bytes) = (self.members + 1, self.bytes + cost);
                let kept = self.kept.member(len, line.is_sensitive());
                kept.extend_from_slice(&line.as_bytes()[member.all]);
            }
        }
        next
    }

    fn done(self) -> (Option<Lines>, LeftOut) {
        (self.kept.finish(), self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grammar::{Item, scan};
    use super::*;

    fn count(line: &[u8]) -> Option<usize> {
        is_well_formed(line).then(|| count_members(line))
    }

    /// The same, member by member.
    fn count_by_scan(line: &[u8]) -> Option<usize> {
        let (mut at, mut count) = (0, 0);
        while at <= line.len() {
            let (item, next) = scan(line, at);
            at = next;
            let Item::Member(_) = item else { return None };
            count += 1;
        }
        Some(count)
    }

    #[test]
    fn every_short_line_is_judged_as_by_scan() {
        // one byte of each kind, in all lines of up to six
        let kinds = *b"k=,; \"(";
        for len in 0..=6u32 {
            for number in 0..kinds.len().pow(len) {
                let kind = |place| kinds[number / kinds.len().pow(place) % kinds.len()];
                let line: Vec<_> = (0..len).map(kind).collect();
                let text = String::from_utf8_lossy(&line);
                assert_eq!(count(&line), count_by_scan(&line), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_line_is_judged_as_by_scan(
            line in prop::collection::vec(any::<u8>(), 0..20),
            members in "([a-z]{1,3}[ \t]?=[ \t]?[a-z%=(]{0,4}(;[ \t]?[a-z]{1,2}(=[a-z]?)?)?,?){0,6}",
        ) {
            prop_assert_eq!(count(&line), count_by_scan(&line));
            prop_assert_eq!(count(members.as_bytes()), count_by_scan(members.as_bytes()));
        }
    }
}
