//! Where in a line the members with some key may be, found without reading the others: most of a line is nobody's business.
//!
//! No comma is part of a member, so a key is one where it stands behind a comma, or at the beginning, and before `=`. Where
//! one may end is looked for in sixteen places together; that few keys end alike, right before `=`, is why it is the end.

use super::grammar::{WHITE, class_of, is_token};

/// How many places are looked at together.
const PLACES: usize = 16;

/// Calls `f` with the place where each item begins that may be a member with this key: whether it is one is for
/// [`scan`](super::grammar::scan) to say. It is called in the order of the line, and once for each.
#[inline]
pub(super) fn each_with_key(line: &[u8], key: &str, mut f: impl FnMut(usize)) {
    let key = key.as_bytes();
    let Some(&last) = key.last() else { return };
    let mut at = key.len() - 1;
    while let Some(block) = line.get(at..).and_then(<[u8]>::first_chunk::<{ PLACES + 1 }>) {
        let (ends, behind) = (&block[..PLACES], &block[1..]);
        // In this form the compiler has one instruction for each step of all of them.
        let may_end = |any, (&end, &behind): (&u8, &u8)| {
            any | ((end == last) & ((behind == b'=') | (behind == b' ') | (behind == b'\t')))
        };
        if ends.iter().zip(behind).fold(false, may_end) {
            each_that_ends(line, at, key, &mut f);
        }
        at += PLACES;
    }
    each_that_ends(line, at, key, &mut f);
}

/// The same of those whose key ends in the [`PLACES`] from `at` on.
#[cold]
#[inline(never)]
fn each_that_ends(line: &[u8], at: usize, key: &[u8], f: &mut impl FnMut(usize)) {
    // What is no token is nobody's key, and would be found in the middle of one.
    if !str::from_utf8(key).is_ok_and(is_token) {
        return;
    }
    let places = line.get(at..).unwrap_or_default().iter().zip(at..).take(PLACES);
    for end in places.filter(|(byte, _)| Some(*byte) == key.last()).map(|(_, end)| end) {
        let is_behind = matches!(line.get(end + 1), Some(b'=' | b' ' | b'\t'));
        let Some(before) =
            line.get(..=end).filter(|_| is_behind).and_then(|to| to.strip_suffix(key))
        else {
            continue;
        };
        let white = before.iter().rev().take_while(|byte| class_of(**byte) & WHITE != 0).count();
        let start = before.len() - white;
        if before[..start].last().is_none_or(|byte| *byte == b',') {
            f(start);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grammar::{Item, scan};
    use super::*;

    /// Where the members with this key begin, found by reading all.
    fn by_scan(line: &[u8], key: &str) -> Vec<usize> {
        let (mut at, mut found) = (0, Vec::new());
        while at <= line.len() {
            let (item, next) = scan(line, at);
            if let Item::Member(member) = item
                && line[member.key] == *key.as_bytes()
            {
                found.push(at);
            }
            at = next;
        }
        found
    }

    fn agree(line: &[u8], key: &str) {
        let mut found = Vec::new();
        each_with_key(line, key, |start| found.push(start));
        assert!(found.is_sorted_by(|one, next| one < next), "{found:?}");
        let is_member = |start: &usize| match scan(line, *start).0 {
            Item::Member(member) => line[member.key] == *key.as_bytes(),
            Item::Malformed | Item::Empty => false,
        };
        found.retain(is_member);
        assert_eq!(found, by_scan(line, key), "{key:?} in {:?}", String::from_utf8_lossy(line));
    }

    #[test]
    fn a_key_is_found_at_every_place_and_nowhere_else() {
        for len in 0..40 {
            for at in 0..=len {
                let mut line = vec![b'x'; len];
                let member = if at == 0 { "ab=1".to_owned() } else { ",ab=1".to_owned() };
                line.splice(at..at, member.into_bytes());
                for key in ["ab", "b", "a", "", "ab=", " ab", "xab", "ab=1"] {
                    agree(&line, key);
                }
            }
        }
        for line in [
            "ab",
            "ab=",
            " ab =1",
            "ab=1,ab=2",
            "ab=ab=1",
            "cab=1,\tab\t=2",
            ",ab=,,ab=",
            "ab ab=1",
        ] {
            agree(line.as_bytes(), "ab");
        }
    }

    proptest! {
        #[test]
        fn of_any_line(line in "[ab=,; \t]{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            for key in ["a", "b", "ab", "aab"] {
                agree(line.as_bytes(), key);
                agree(&bytes, key);
            }
        }
    }
}
