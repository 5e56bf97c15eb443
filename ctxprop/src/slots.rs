//! A set of things, each under a key that its owner keeps: the children, wakers and callbacks of a
//! context. Not a general map: it gives the keys, and no key is given twice.
//!
//! # Invariants
//! 1. None and one element need no allocation, so a chain of contexts costs one allocation each (3.1.11).
//! 2. A key is never reused: one that was removed stays unknown.
//! 3. An empty set holds no memory, and a large one keeps it in proportion (3.1.9).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Below this capacity a table is not worth shrinking.
const SMALL: usize = 64;

#[derive(Debug)]
pub(crate) struct Slots<T> {
    next: usize,
    items: Items<T>,
}

#[derive(Debug)]
enum Items<T> {
    Empty,
    One(usize, T),
    Many(HashMap<usize, T, BuildHasherDefault<KeyHasher>>),
}

/// Spreads keys, which are counted up, over all bits (Fibonacci hashing). Keys are ours, so nobody can choose them
/// to collide.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(usize::from(byte)));
    }

    #[inline]
    fn write_usize(&mut self, key: usize) {
        self.0 = (self.0 ^ key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots::new()
    }
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Slots { next: 0, items: Items::Empty }
    }

    /// Puts `item` in and gives its key.
    pub(crate) fn insert(&mut self, item: T) -> usize {
        let key = self.next;
        self.next += 1;
        match &mut self.items {
            Items::Many(many) => drop(many.insert(key, item)),
            few => match std::mem::replace(few, Items::Empty) {
                Items::One(first_key, first) => {
                    let both = [(first_key, first), (key, item)];
                    *few = Items::Many(both.into_iter().collect());
                }
                _ => *few = Items::One(key, item),
            },
        }
        key
    }

    /// The element under `key`.
    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        match &mut self.items {
            Items::One(only, item) if *only == key => Some(item),
            Items::Many(many) => many.get_mut(&key),
            _ => None,
        }
    }

    /// Takes the element under `key` out.
    pub(crate) fn remove(&mut self, key: usize) -> Option<T> {
        match &mut self.items {
            Items::One(only, _) if *only == key => {
                match std::mem::replace(&mut self.items, Items::Empty) {
                    Items::One(_, item) => Some(item),
                    _ => None,
                }
            }
            Items::Many(many) => {
                let item = many.remove(&key);
                if many.is_empty() {
                    self.items = Items::Empty;
                } else if many.capacity() >= SMALL && many.len() <= many.capacity() / 4 {
                    many.shrink_to(many.len() * 2);
                }
                item
            }
            _ => None,
        }
    }

    /// Takes everything out. Keys go on where they were, so the old ones stay unknown.
    pub(crate) fn take(&mut self) -> Slots<T> {
        let items = std::mem::replace(&mut self.items, Items::Empty);
        Slots { next: self.next, items }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.items, Items::Empty)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match &self.items {
            Items::Empty => (None, None),
            Items::One(_, item) => (Some(item), None),
            Items::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flat_map(HashMap::values))
    }

    pub(crate) fn into_items(self) -> impl Iterator<Item = T> {
        let (one, many) = match self.items {
            Items::Empty => (None, None),
            Items::One(_, item) => (Some(item), None),
            Items::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flat_map(HashMap::into_values))
    }
}

#[cfg(test)]
mod tests {
    use super::{Items, Slots};

    #[test]
    fn keys_stay_valid_while_the_set_grows_and_shrinks() {
        let mut slots = Slots::default();
        let keys: Vec<_> = (0..100).map(|n| (slots.insert(n), n)).collect();
        for (key, n) in keys.iter().rev() {
            assert_eq!(slots.get_mut(*key).map(|n| *n), Some(*n));
            assert_eq!(slots.remove(*key), Some(*n));
            assert_eq!(slots.remove(*key), None);
        }
        assert!(slots.is_empty());
    }

    #[test]
    fn a_key_that_was_removed_stays_unknown() {
        let mut slots = Slots::default();
        let old = slots.insert("old");
        assert_eq!(slots.remove(old), Some("old"));
        let new = slots.insert("new");
        assert_eq!(slots.remove(old), None);
        assert_eq!(slots.take().into_items().collect::<Vec<_>>(), ["new"]);
        slots.insert("newer");
        assert_eq!(slots.remove(new), None);
    }

    #[test]
    fn the_first_element_can_leave_first() {
        let mut slots = Slots::default();
        let (a, b) = (slots.insert("a"), slots.insert("b"));
        assert_eq!(slots.remove(a), Some("a"));
        assert_eq!(slots.get_mut(b), Some(&mut "b"));
        assert_eq!(slots.into_items().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_burst_gives_its_memory_back_while_one_element_stays() {
        for kept in [0, 5_000, 9_999] {
            let mut slots = Slots::default();
            let keys: Vec<_> = (0..10_000).map(|n| slots.insert(n)).collect();
            for n in (0..10_000).filter(|&n| n != kept) {
                assert_eq!(slots.remove(keys[n]), Some(n));
            }
            let Items::Many(many) = &slots.items else { panic!("one element of many is left") };
            assert!(many.capacity() < 64, "{} slots kept for one element", many.capacity());
            assert_eq!(slots.remove(keys[kept]), Some(kept));
        }
    }
}
