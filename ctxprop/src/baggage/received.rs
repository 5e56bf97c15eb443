//! Received lines, looked at without decoding or copying anything: which members they have, which of them count and
//! which are private.
//!
//! It is one pass over the bytes. Of several members with one key the last counts; a table of hashes finds the one
//! before it, so that each of many members costs no more than each of few.

use http::HeaderValue;

use super::MAX_BAGGAGE_MEMBERS;
use super::grammar::{self, Item, RawMember, RawProperty, is_plain};
use super::lines::{LineBuilder, Lines};

/// The property of a member that must not leave the mesh. It is written without a value.
pub(crate) const PRIVATE: &str = "private";

/// Whether a property has this meaning: in any case and with any value, because who wrote it so meant it.
pub(super) fn means_private(property: &[u8]) -> bool {
    property.eq_ignore_ascii_case(PRIVATE.as_bytes())
}

/// A member as it stands in its line.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) line: &'a [u8],
    /// Which of the lines that is.
    pub(super) number: usize,
    pub(super) raw: RawMember,
    /// Whether it must not leave the mesh, or one of its key before it: both may be sent on.
    pub(super) private: bool,
    /// Whether one with its key comes after it.
    pub(super) superseded: bool,
}

impl<'a> Received<'a> {
    pub(super) fn key(&self) -> &'a [u8] {
        self.line.get(self.raw.key.clone()).unwrap_or_default()
    }

    #[inline]
    pub(super) fn properties(&self) -> impl Iterator<Item = RawProperty> {
        // Most have none.
        let has_some = self.raw.all.end > self.raw.value.end;
        has_some.then(|| grammar::properties(self.line, &self.raw)).into_iter().flatten()
    }

    fn is_marked_private(&self) -> bool {
        self.properties().any(|it| means_private(self.line.get(it.key).unwrap_or_default()))
    }
}

/// The member that begins at `at` in a plain line that is valid, and where the next one begins.
#[inline]
pub(super) fn divide(line: &[u8], number: usize, at: usize) -> (Received<'_>, usize) {
    let (raw, next) = grammar::divide(line, at);
    (Received { line, number, raw, private: false, superseded: false }, next)
}

/// Calls `f` with each member of any valid line, of which it says whether it is marked private.
#[inline(never)]
pub(super) fn scan<'a>(line: &'a [u8], number: usize, f: &mut dyn FnMut(Received<'a>)) {
    let mut at = 0;
    while at <= line.len() {
        let (item, next) = grammar::scan(line, at);
        at = next;
        let Item::Member(raw) = item else { continue };
        let mut member = Received { line, number, raw, private: false, superseded: false };
        member.private = member.is_marked_private();
        f(member);
    }
}

/// All members of lines that are valid and within limits.
pub(super) fn members<'a>(lines: &'a [HeaderValue]) -> Vec<Received<'a>> {
    // The shortest member and its comma are three bytes, most are longer.
    let bytes: usize = lines.iter().map(HeaderValue::len).sum();
    let mut found: Vec<Received<'_>> =
        Vec::with_capacity((bytes / 12).min(MAX_BAGGAGE_MEMBERS) + 1);
    let mut keys = Keys::new();
    let mut add = |mut member: Received<'a>| {
        let key = member.key();
        let is_same = |place: usize| found.get(place).is_some_and(|it| it.key() == key);
        let earlier = keys.put(key, found.len(), is_same);
        if let Some(earlier) = earlier.and_then(|place| found.get_mut(place)) {
            earlier.superseded = true;
            member.private |= earlier.private;
        }
        found.push(member);
    };
    for (number, line) in lines.iter().map(HeaderValue::as_bytes).enumerate() {
        if !is_plain(line) {
            scan(line, number, &mut add);
            continue;
        }
        let mut at = 0;
        while at <= line.len() {
            let (member, next) = divide(line, number, at);
            add(member);
            at = next;
        }
    }
    found
}

/// The lines of those members that `keep` names, each as it came; `None` where those are all there are.
pub(super) fn filter(
    lines: &[HeaderValue],
    keep: impl Fn(&Received<'_>) -> bool,
) -> Option<Option<Lines>> {
    let members = members(lines);
    if members.iter().all(&keep) {
        return None;
    }
    let mut kept = LineBuilder::default();
    for member in members.iter().filter(|member| keep(member)) {
        let all = member.line.get(member.raw.all.clone()).unwrap_or_default();
        let is_sensitive = lines.get(member.number).is_some_and(HeaderValue::is_sensitive);
        kept.member(all.len(), is_sensitive).extend_from_slice(all);
    }
    Some(kept.finish())
}

/// Whether some line has a property at all, which most have not: then none of its members is private.
pub(super) fn may_be_private(lines: &[HeaderValue]) -> bool {
    lines.iter().any(|line| line.as_bytes().contains(&b';'))
}

/// Twice as many as there are members, so that hardly two meet.
const SLOTS: usize = 2 * MAX_BAGGAGE_MEMBERS;

/// The place of the last member of each key, by a hash that no stranger can foresee.
pub(super) struct Keys {
    seed: u64,
    /// A place and one, or 0 for none.
    slots: [u8; SLOTS],
}

impl Keys {
    pub(super) fn new() -> Self {
        Keys { seed: fastrand::u64(..), slots: [0; SLOTS] }
    }

    /// Notes the place of a key, and says which place it had before.
    #[inline]
    pub(super) fn put(
        &mut self,
        key: &[u8],
        place: usize,
        is_same: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        // At most 64 members come here, so it fits, and there is always a free slot.
        let noted = u8::try_from(place + 1).ok()?;
        let first = self.hash(key);
        for step in 0..SLOTS {
            let there = &mut self.slots[first.wrapping_add(step) % SLOTS];
            let before = usize::from(*there).checked_sub(1);
            if before.is_none_or(&is_same) {
                *there = noted;
                return before;
            }
        }
        None
    }

    /// Eight bytes at a time, of which the last may be others' too; the upper half of a product depends on all of its bits.
    #[inline]
    fn hash(&self, key: &[u8]) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, word: u64| {
            let product = u128::from(hash ^ word) * u128::from(ODD | 1);
            (product >> 64) as u64 ^ product as u64
        };
        let (words, rest) = key.as_chunks::<8>();
        let hash = words.iter().fold(self.seed, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        let last = match (key.last_chunk(), rest.first_chunk(), rest.last_chunk()) {
            (Some(last), _, _) => u64::from_le_bytes(*last),
            (None, Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            _ => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        mix(hash, last ^ (key.len() as u64) << 56) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last of each key, and whether one of its key was private, found the slow way.
    fn by_search(line: &'static str) -> Vec<(&'static str, bool)> {
        let all: Vec<_> = line.split(',').map(|member| member.split_once('=').unwrap()).collect();
        let last = |(place, (key, _)): &(usize, &(&str, &str))| {
            !all[place + 1..].iter().any(|(later, _)| later == key)
        };
        let private = |key: &str| {
            all.iter().any(|(other, value)| *other == key && value.contains(";private"))
        };
        all.iter().enumerate().filter(last).map(|(_, (key, _))| (*key, private(key))).collect()
    }

    #[test]
    fn the_last_of_each_key_counts_and_inherits_what_is_private() {
        let many = (0..64).map(|n| {
            let mark = if n % 7 == 0 { ";private" } else { "" };
            format!("key{}=v{n}{mark}", n * n % 37)
        });
        let many = many.collect::<Vec<_>>().join(",");
        let many: &'static str = Box::leak(many.into_boxed_str());
        for line in ["a=1", "a=1,a=2", "a=1;private,b=1,a=2,a=3", "a=1,b=2,c=3;private,b=4", many] {
            let lines = [HeaderValue::from_static(line)];
            let members = members(&lines);
            let counting: Vec<_> = members
                .iter()
                .filter(|member| !member.superseded)
                .map(|member| (str::from_utf8(member.key()).unwrap(), member.private))
                .collect();
            assert_eq!(counting, by_search(line), "{line}");
        }
    }

    #[test]
    fn hashes_spread() {
        // Keys that differ in one byte, at whatever place: no slot has many of them.
        let keys = Keys::new();
        for len in [1, 3, 8, 9, 16, 31] {
            let mut slots = [0; SLOTS];
            for number in 0..64u8 {
                let mut key = vec![b'k'; len];
                key[usize::from(number) % len] = number;
                slots[keys.hash(&key) % SLOTS] += 1;
            }
            assert!(slots.iter().all(|&keys| keys < 16), "{len}: {slots:?}");
        }
    }
}
