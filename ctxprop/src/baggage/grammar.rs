//! The grammar of the `baggage` header: where a list-member begins, ends and divides, and how its
//! values are percent-encoded.
//!
//! See [W3C Baggage](https://www.w3.org/TR/baggage/), section 3.2 "Header Content". Limits and
//! what to do with a malformed member are not here: `members` and `wire::baggage` decide that.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

/// A list-member as it stands in a line, white space around it left out.
///
/// The ranges count from the beginning of the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawMember {
    pub(crate) all: Range<usize>,
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// A property as it stands in a line; one without `=` has no value.
pub(super) struct RawProperty {
    pub(super) key: Range<usize>,
    pub(super) value: Option<Range<usize>>,
}

/// What stands between two commas.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Member(RawMember),
    Malformed,
    /// Nothing, or white space: no member, and no mistake either (RFC 9110, section 5.6.1.2).
    Empty,
}

/// Reads the item that begins at `at` and says where the next one begins: behind the comma, and
/// beyond the end of the line after the last.
pub(crate) fn scan(line: &[u8], at: usize) -> (Item, usize) {
    let item = match member(line, at) {
        Ok(read) => read,
        Err(stopped) => {
            // No comma is part of a member, so a malformed one ends at the next.
            return (Item::Malformed, next_comma(line, stopped) + 1);
        }
    };
    match item {
        Some(member) => {
            let next = skip(line, member.all.end, WHITE) + 1;
            (Item::Member(member), next)
        }
        None => (Item::Empty, skip(line, at, WHITE) + 1),
    }
}

/// Whether a line has no white space, no property, and nothing to decode, so that [`divide`] may read it.
#[inline]
pub(super) fn is_plain(line: &[u8]) -> bool {
    // In this form the compiler has one instruction for each step of all sixteen.
    let is_plain = |block: &[u8; 16]| {
        !block.iter().fold(false, |any, &byte| {
            any | (byte == b';') | (byte == b'%') | (byte == b' ') | (byte == b'\t')
        })
    };
    let (blocks, _) = line.as_chunks();
    let is_rest_plain = match line.last_chunk() {
        // Some of them a second time.
        Some(last) => is_plain(last),
        None => {
            let mut filled = [0; 16];
            filled[..line.len()].copy_from_slice(line);
            is_plain(&filled)
        }
    };
    is_rest_plain && blocks.iter().all(is_plain)
}

/// What [`scan`] says of a well-formed item of a plain line: its delimiters say all.
#[inline]
pub(super) fn divide(line: &[u8], at: usize) -> (RawMember, usize) {
    let equals = find(line, at, b'=');
    let comma = find(line, equals, b',');
    (RawMember { all: at..comma, key: at..equals, value: equals + 1..comma }, comma + 1)
}

/// `list-member = key OWS "=" OWS value *( OWS ";" OWS property )`, up to a comma or the end;
/// `Err` has the place that does not fit.
fn member(line: &[u8], at: usize) -> Result<Option<RawMember>, usize> {
    let start = skip(line, at, WHITE);
    if ends(line, start) {
        return Ok(None);
    }
    let (key, equals) = token(line, start)?;
    if line.get(equals) != Some(&b'=') {
        return Err(equals);
    }
    let value = value(line, equals + 1);
    let mut end = value.end;
    loop {
        let next = skip(line, end, WHITE);
        if ends(line, next) {
            return Ok(Some(RawMember { all: start..end, key, value }));
        }
        end = property(line, next)?.1;
    }
}

/// The properties of a member that [`scan`] found to be well-formed.
pub(super) fn properties(line: &[u8], member: &RawMember) -> impl Iterator<Item = RawProperty> {
    let mut at = member.value.end;
    std::iter::from_fn(move || {
        let (property, end) = property(line, skip(line, at, WHITE)).ok()?;
        at = end;
        Some(property)
    })
}

/// `";" OWS key OWS [ "=" OWS value ]`, and where it ends.
fn property(line: &[u8], at: usize) -> Result<(RawProperty, usize), usize> {
    if line.get(at) != Some(&b';') {
        return Err(at);
    }
    let (key, next) = token(line, skip(line, at + 1, WHITE))?;
    if line.get(next) != Some(&b'=') {
        let end = key.end;
        return Ok((RawProperty { key, value: None }, end));
    }
    let value = value(line, next + 1);
    let end = value.end;
    Ok((RawProperty { key, value: Some(value) }, end))
}

/// A token of at least one character, and the first place behind it that is not white space.
fn token(line: &[u8], at: usize) -> Result<(Range<usize>, usize), usize> {
    let end = skip(line, at, TOKEN);
    if end == at { Err(at) } else { Ok((at..end, skip(line, end, WHITE))) }
}

/// `OWS *baggage-octet`. An empty value stands where the white space begins, so that what is
/// behind the value's end has not been looked at.
fn value(line: &[u8], at: usize) -> Range<usize> {
    let start = skip(line, at, WHITE);
    let end = skip(line, start, OCTET);
    if start == end { at..at } else { start..end }
}

fn ends(line: &[u8], at: usize) -> bool {
    line.get(at).is_none_or(|&byte| byte == b',')
}

/// The first place from `at` on whose byte is not of the class, or the end.
#[inline]
fn skip(line: &[u8], mut at: usize, class: u8) -> usize {
    while at < line.len() && class_of(line[at]) & class != 0 {
        at += 1;
    }
    at
}

/// The first comma from `at` on, or the end: no comma is part of a member.
fn next_comma(line: &[u8], at: usize) -> usize {
    find(line, at, b',')
}

/// The first place from `at` on that has this byte, or the end. Eight are looked at together, as one number.
#[inline]
fn find(line: &[u8], at: usize, byte: u8) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let mut at = at.min(line.len());
    let (words, rest) = line[at..].as_chunks::<8>();
    for word in words {
        // Zero where the byte is. Taking one from a zero borrows of those behind it only, so that the first one is right.
        let differ = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        let zeros = differ.wrapping_sub(ONES) & !differ & (ONES << 7);
        if zeros != 0 {
            return at + zeros.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + rest.iter().position(|&other| other == byte).unwrap_or(rest.len())
}

/// Whether this is a token (RFC 9110, section 5.6.2), which keys of members and properties are.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && skip(text.as_bytes(), 0, TOKEN) == text.len()
}

/// "percent-encoded octet sequences that do not match the UTF-8 encoding scheme MUST be replaced
/// with the replacement code point (U+FFFD)". A `%` without two digits stands for itself.
pub(super) fn decode(value: &[u8]) -> Cow<'_, str> {
    percent_decode(value).decode_utf8_lossy()
}

/// What [`decode`] reads back as `value`, in pieces.
pub(super) fn encode(value: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(value, NOT_OCTETS)
}

/// How many bytes [`encode`] makes of it.
pub(crate) const fn encoded_len(value: &str) -> usize {
    let (bytes, mut len, mut at) = (value.as_bytes(), value.len(), 0);
    while at < bytes.len() {
        if class_of(bytes[at]) & OCTET == 0 || bytes[at] == b'%' {
            len += 2;
        }
        at += 1;
    }
    len
}

/// What must be encoded of ASCII: all but `baggage-octet`, and `%` itself.
const NOT_OCTETS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

pub(super) const TOKEN: u8 = 1;
pub(super) const OCTET: u8 = 2;
pub(super) const WHITE: u8 = 4;

#[inline]
pub(super) const fn class_of(byte: u8) -> u8 {
    CLASS[byte as usize]
}

/// Which parts of the grammar each byte may stand in (section 3.2.1 "Definition").
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => TOKEN | OCTET,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' => TOKEN | OCTET,
            b'^' | b'_' | b'`' | b'|' | b'~' => TOKEN | OCTET,
            b'(' | b')' | b'/' | b':' | b'<'..=b'@' | b'[' | b']' | b'{' | b'}' => OCTET,
            b' ' | b'\t' => WHITE,
            _ => 0,
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_is_the_one_of_the_specification() {
        // W3C Baggage 3.2.1: %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E
        let octet =
            |byte: u8| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
        // RFC 9110, 5.6.2: tchar
        let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        for byte in 0..=255 {
            let class = class_of(byte);
            assert_eq!(class & OCTET != 0, octet(byte), "octet {byte:#x}");
            assert_eq!(class & TOKEN != 0, tchar(byte), "tchar {byte:#x}");
        }
    }

    #[test]
    fn what_makes_a_line_not_plain_is_seen_at_every_place() {
        for len in 0..50 {
            let mut line = vec![b'a'; len];
            assert!(is_plain(&line));
            for place in 0..len {
                for byte in [b';', b'%', b' ', b'\t'] {
                    line[place] = byte;
                    assert!(!is_plain(&line), "{byte:#x} at {place} of {len}");
                }
                line[place] = b'=';
                assert!(is_plain(&line));
                line[place] = b'a';
            }
        }
    }

    proptest! {
        #[test]
        fn a_plain_line_is_divided_as_by_scan(
            members in prop::collection::vec("[a-c!]{1,10}=[a-c=(]{0,20}", 1..6),
        ) {
            let line = members.join(",");
            let line = line.as_bytes();
            prop_assert!(is_plain(line));
            let mut at = 0;
            while at <= line.len() {
                let (member, next) = divide(line, at);
                prop_assert_eq!(scan(line, at), (Item::Member(member), next));
                at = next;
            }
        }

        #[test]
        fn dividing_any_line_comes_to_an_end(line in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut at = 0;
            while at <= line.len() {
                let (_, next) = divide(&line, at);
                prop_assert!(next > at);
                at = next;
            }
        }
    }

    #[test]
    fn the_next_comma_is_found_at_every_place() {
        // Neighbours of the comma beside it, which a borrow must not reach.
        for filler in [b'-', b'+', b'a', 0, 0x80, 0xff, 0xac] {
            for len in 0..40 {
                for at in 0..=len {
                    let mut line = vec![filler; len];
                    assert_eq!(next_comma(&line, at), len);
                    for comma in 0..len {
                        line[comma] = b',';
                        assert_eq!(next_comma(&line, at), if comma < at { len } else { comma });
                        line[comma] = filler;
                    }
                }
            }
        }
    }

    #[test]
    fn all_that_is_no_octet_is_encoded_and_so_is_the_percent_sign() {
        for byte in 0..=127 {
            let text = char::from(byte).to_string();
            let encoded: String = encode(&text).collect();
            let plain = class_of(byte) & OCTET != 0 && byte != b'%';
            assert_eq!(encoded == text, plain, "{byte:#x}");
            assert_eq!(encoded.len(), encoded_len(&text));
        }
        assert_eq!(encoded_len("é€"), encode("é€").collect::<String>().len());
    }
}
