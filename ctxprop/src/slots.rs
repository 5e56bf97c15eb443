//! A set of things, each under a key that its owner keeps: the children, wakers and callbacks of a
//! context. Not a general map: keys are reused once removed.
//!
//! # Invariants
//! 1. None and one element need no allocation, so a chain of contexts costs one allocation each (3.1.11).
//! 2. An empty set holds no memory, and [`Slots::compact`] keeps a large one in proportion (3.1.9).

use slab::Slab;

/// Below this capacity a slab is not worth moving its elements for.
const SMALL: usize = 64;

/// The key of the element that is stored inline.
const INLINE: usize = 0;

#[derive(Debug, Default)]
pub(crate) enum Slots<T> {
    #[default]
    Empty,
    One(T),
    Many(Slab<T>),
}

impl<T> Slots<T> {
    /// Puts `item` in and gives its key.
    pub(crate) fn insert(&mut self, item: T) -> usize {
        match self {
            Slots::Many(slab) => slab.insert(item),
            Slots::Empty => {
                *self = Slots::One(item);
                INLINE
            }
            Slots::One(_) => {
                let mut slab = Slab::with_capacity(4);
                // An empty slab hands out its keys from 0, so the first element keeps the key it had.
                if let Slots::One(first) = std::mem::take(self) {
                    slab.insert(first);
                }
                let key = slab.insert(item);
                *self = Slots::Many(slab);
                key
            }
        }
    }

    /// The element under `key`.
    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        match self {
            Slots::One(item) if key == INLINE => Some(item),
            Slots::Many(slab) => slab.get_mut(key),
            _ => None,
        }
    }

    /// Takes the element under `key` out.
    pub(crate) fn remove(&mut self, key: usize) -> Option<T> {
        match self {
            Slots::One(_) if key == INLINE => match std::mem::take(self) {
                Slots::One(item) => Some(item),
                _ => None,
            },
            Slots::Many(slab) => {
                let item = slab.try_remove(key);
                if slab.is_empty() {
                    *self = Slots::Empty;
                }
                item
            }
            _ => None,
        }
    }

    /// Moves elements together and gives memory back where most of it is unused. `rekey` is told of
    /// each move, and may refuse it.
    pub(crate) fn compact(&mut self, mut rekey: impl FnMut(&T, usize) -> bool) {
        if let Slots::Many(slab) = self
            && slab.capacity() >= SMALL
            && slab.len() <= slab.capacity() / 4
        {
            slab.compact(|item, _from, to| rekey(item, to));
            slab.shrink_to_fit();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Slots::Empty)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match self {
            Slots::Empty => (None, None),
            Slots::One(item) => (Some(item), None),
            Slots::Many(slab) => (None, Some(slab)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|slab| slab.iter().map(|(_, item)| item)))
    }

    pub(crate) fn into_items(self) -> impl Iterator<Item = T> {
        let (one, many) = match self {
            Slots::Empty => (None, None),
            Slots::One(item) => (Some(item), None),
            Slots::Many(slab) => (None, Some(slab)),
        };
        one.into_iter()
            .chain(many.into_iter().flat_map(|slab| slab.into_iter().map(|(_, item)| item)))
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

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
    fn the_inline_element_can_leave_first() {
        let mut slots = Slots::default();
        let (a, b) = (slots.insert("a"), slots.insert("b"));
        assert_eq!(slots.remove(a), Some("a"));
        assert_eq!(slots.get_mut(b), Some(&mut "b"));
        assert_eq!(slots.into_items().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_burst_gives_its_memory_back_while_one_element_stays() {
        let mut slots = Slots::default();
        let mut keys: Vec<_> = (0..10_000).map(|n| slots.insert(n)).collect();
        for n in 0..9_999 {
            assert_eq!(slots.remove(keys[n]), Some(n));
            slots.compact(|moved, to| {
                keys[*moved] = to;
                true
            });
        }
        let Slots::Many(slab) = &slots else { panic!("one element of a slab is left") };
        assert!(slab.capacity() < 64, "{} slots kept for one element", slab.capacity());
        assert_eq!(slots.remove(keys[9_999]), Some(9_999));
    }
}
