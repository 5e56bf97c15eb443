//! Where in a line the members with some key may be, found without reading the others: most of a line is nobody's business.
//!
//! No comma is part of a member, so a key is one where it stands behind a comma, or at the beginning, and before `=`. Where
//! one may end is looked for in sixteen places together: few keys end alike, right before `=`.

use super::grammar::{TOKEN, class_of};

/// How many places are looked at together.
const PLACES: usize = 16;

/// Places, and the byte behind the last of them.
type Block = [u8; PLACES + 1];

/// Calls `f` with the place where each item begins that may be a member with this key: whether it is one is for
/// [`scan`](super::grammar::scan) to say. It is called in the order of the line, and once for each.
#[inline]
pub(super) fn each_with_key(line: &[u8], key: &str, mut f: impl FnMut(usize)) {
    let key = key.as_bytes();
    let Some(&last) = key.last() else { return };
    let mut at = key.len() - 1;
    while let Some(block) = line.get(at..).and_then(<[u8]>::first_chunk) {
        if has_end(block, last) {
            each_that_ends(line, block, at, at, key, &mut f);
        }
        at += PLACES;
    }
    if at >= line.len() {
        return;
    }
    // What is left is less than a block: one that begins earlier, or is filled up, has it too.
    let mut filled = [0; PLACES + 1];
    let (block, first) = match line.last_chunk::<{ PLACES + 1 }>() {
        Some(block) => (block, line.len() - block.len()),
        None => {
            filled[..line.len()].copy_from_slice(line);
            (&filled, 0)
        }
    };
    if has_end(block, last) {
        each_that_ends(line, block, first, at, key, &mut f);
    }
}

/// Whether a key with this last byte may end in the block: in this form the compiler has one instruction for each step of
/// all places. Always inlined, so that what is compared with is made once and not at each block.
#[inline(always)]
fn has_end(block: &Block, last: u8) -> bool {
    block[..PLACES].iter().zip(&block[1..]).fold(false, |any, (&end, &behind)| {
        any | ((end == last) & ((behind == b'=') | (behind == b' ') | (behind == b'\t')))
    })
}

/// The same of those whose key ends in the block that begins at `first`, at `from` or behind.
#[cold]
#[inline(never)]
fn each_that_ends(
    line: &[u8],
    block: &Block,
    first: usize,
    from: usize,
    key: &[u8],
    f: &mut impl FnMut(usize),
) {
    let Some(&last) = key.last() else { return };
    for place in 0..PLACES {
        if block[place] == last
            && matches!(block[place + 1], b'=' | b' ' | b'\t')
            && first + place >= from
            && let Some(start) = start_of(line, first + place, key)
        {
            f(start);
        }
    }
}

/// Where the item begins whose key ends here, if it is this one.
#[inline(never)]
fn start_of(line: &[u8], end: usize, key: &[u8]) -> Option<usize> {
    let mut start = (end + 1).checked_sub(key.len())?;
    // What is no token is nobody's key, and might be a part of one.
    if line.get(start..=end)? != key || key.iter().any(|byte| class_of(*byte) & TOKEN == 0) {
        return None;
    }
    loop {
        match start.checked_sub(1).map(|before| line[before]) {
            None | Some(b',') => return Some(start),
            Some(b' ' | b'\t') => start -= 1,
            Some(_) => return None,
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
