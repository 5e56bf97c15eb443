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
            let scanned = scan(line, at).ok()?;
            at = scanned.next;
            if let Some(member) = scanned.member(line) {
                return Some(member);
            }
        }
        None
    })
}

/// Where the parts of one member are.
pub(super) struct Scanned {
    pub(super) start: usize,
    pub(super) equals: usize,
    /// The end of the value; the start, where the member is empty.
    end: usize,
    /// Where the next member begins: behind the comma, and beyond the end of the line after the
    /// last.
    pub(super) next: usize,
}

impl Scanned {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn member<'a>(&self, line: &'a [u8]) -> Option<Member<'a>> {
        let text = line.get(self.start..self.end)?;
        (!self.is_empty()).then_some(Member { text, key_len: self.equals - self.start })
    }
}

/// Reads the member that begins at `at`.
pub(super) fn scan(line: &[u8], at: usize) -> Result<Scanned, TraceStateError> {
    scan_here(line, at)
}

/// The same, without a call: for the one place that every message comes by.
#[inline(always)]
pub(super) fn scan_here(line: &[u8], at: usize) -> Result<Scanned, TraceStateError> {
    let start = skip(line, at, WHITE);
    let Some(&first) = line.get(start).filter(|&&byte| byte != b',') else {
        return Ok(Scanned { start, equals: start, end: start, next: start + 1 });
    };
    let equals = skip_by::<4>(line, start, KEY);
    let is_key = class_of(first) & KEY_START != 0 && equals - start <= MAX_PART;
    if !is_key || line.get(equals) != Some(&b'=') {
        return Err(TraceStateError::InvalidKey);
    }
    let printable = skip_by::<8>(line, equals + 1, VALUE);
    let mut end = printable;
    while line.get(end - 1) == Some(&b' ') {
        end -= 1; // "all trailing spaces are … not part of the value"
    }
    let next = skip(line, printable, WHITE);
    let value_len = end - (equals + 1);
    let ends = line.get(next).is_none_or(|&byte| byte == b',');
    if value_len == 0 || value_len > MAX_PART || !ends {
        return Err(TraceStateError::InvalidValue);
    }
    Ok(Scanned { start, equals, end, next: next + 1 })
}

/// The first place from `at` on whose byte is not of the class, or the end.
#[inline]
fn skip(line: &[u8], mut at: usize, class: u8) -> usize {
    while line.get(at).is_some_and(|byte| class_of(*byte) & class != 0) {
        at += 1;
    }
    at
}

/// The same, `N` bytes at a time where there are so many: a load and an `and` each.
#[inline]
fn skip_by<const N: usize>(line: &[u8], mut at: usize, class: u8) -> usize {
    let (chunks, _) = line.get(at..).unwrap_or_default().as_chunks::<N>();
    for chunk in chunks {
        if chunk.iter().fold(class, |all, byte| all & class_of(*byte)) == 0 {
            break;
        }
        at += N;
    }
    skip(line, at, class)
}

/// Whether a member may have this key.
pub(super) fn is_key(key: &[u8]) -> bool {
    key.len() <= MAX_PART
        && key.first().is_some_and(|byte| class_of(*byte) & KEY_START != 0)
        && key.iter().all(|byte| class_of(*byte) & KEY != 0)
}

#[inline]
fn class_of(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

const KEY_START: u8 = 1;
const KEY: u8 = 2;
const VALUE: u8 = 4;
const WHITE: u8 = 8;

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
            b'!'..=b'+' | b'.'..=b'<' | b'>'..=b'~' => VALUE,
            _ => 0,
        };
        byte += 1;
    }
    table
};
