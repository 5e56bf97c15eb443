//! The grammar of `tracestate`: where a list-member begins, ends and divides.
//!
//! Trace Context Level 2, section "tracestate Header Field Values". Limits on the list as a whole
//! are not here.

use super::TraceStateError;

/// The most characters of a key, and of a value (sections "Key" and "Value").
const MAX_PART: usize = 256;

/// One member as it stands in a line, white space around it left out.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) text: &'a [u8],
    key_len: usize,
}

impl<'a> Member<'a> {
    pub(super) fn key(self) -> &'a [u8] {
        self.text.get(..self.key_len).unwrap_or_default()
    }

    pub(super) fn as_str(self) -> Option<(&'a str, &'a str)> {
        str::from_utf8(self.text).ok()?.split_once('=')
    }
}

/// The members of a valid line, in order.
pub(super) fn members(line: &[u8]) -> impl Iterator<Item = Member<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at <= line.len() {
            let (member, next) = scan(line, at).ok()?;
            at = next;
            if member.is_some() {
                return member;
            }
        }
        None
    })
}

/// Reads the member that begins at `at`, if it is not empty, and says where the next one begins:
/// behind the comma, and beyond the end of the line after the last.
pub(super) fn scan(line: &[u8], at: usize) -> Result<(Option<Member<'_>>, usize), TraceStateError> {
    let class = |at: usize| line.get(at).map_or(0, class_of);
    let skip = |mut at: usize, of: u8| {
        while at < line.len() && class_of(&line[at]) & of != 0 {
            at += 1;
        }
        at
    };
    let start = skip(at, WHITE);
    if start >= line.len() || line[start] == b',' {
        return Ok((None, start + 1));
    }
    let equals = skip(start, KEY);
    if class(start) & KEY_START == 0 || equals - start > MAX_PART || class(equals) != EQUALS {
        return Err(TraceStateError::InvalidKey);
    }
    let printable = skip(equals + 1, VALUE);
    let mut end = printable;
    while line[end - 1] == b' ' {
        end -= 1; // "all trailing spaces are … not part of the value"
    }
    let next = skip(printable, WHITE);
    let value_len = end - (equals + 1);
    if value_len == 0 || value_len > MAX_PART || (next < line.len() && line[next] != b',') {
        return Err(TraceStateError::InvalidValue);
    }
    Ok((Some(Member { text: &line[start..end], key_len: equals - start }), next + 1))
}

/// Whether a member may have this key.
pub(super) fn is_key(key: &[u8]) -> bool {
    key.len() <= MAX_PART
        && key.first().is_some_and(|byte| class_of(byte) & KEY_START != 0)
        && key.iter().all(|byte| class_of(byte) & KEY != 0)
}

fn class_of(byte: &u8) -> u8 {
    CLASS[usize::from(*byte)]
}

const KEY_START: u8 = 1;
const KEY: u8 = 2;
const VALUE: u8 = 4;
const WHITE: u8 = 8;
const EQUALS: u8 = 16;

/// Which parts of the grammar each byte may stand in (sections "Key" and "Value").
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' => KEY_START | KEY | VALUE,
            b'_' | b'-' | b'*' | b'/' | b'@' => KEY | VALUE,
            b' ' => VALUE | WHITE,
            b'\t' => WHITE,
            b'=' => EQUALS,
            b'!'..=b'+' | b'.'..=b'~' => VALUE,
            _ => 0,
        };
        byte += 1;
    }
    table
};
