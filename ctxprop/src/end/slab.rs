//! A set of wakers, each under a place that its owner keeps. It grows by chunks, so that no insertion moves what is there:
//! one that moved a million wakers would hold up everybody who waits for the same end.
//!
//! A place is given again once its waker was taken out, so an owner uses it once.
//!
//! # Invariants
//! 1. A chunk has room exactly when it is on the list `open`, each once.
//! 2. A chunk without wakers holds no memory, and the last chunk has some: a crowd that is gone leaves nothing, and one of
//!    which one is left little.
//! 3. One waker alone needs no chunk: most ends are waited for by one scope.

use std::task::Waker;

/// Where a waker is: the number of the chunk, or [`ALONE`], and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    chunk: u32,
    at: u32,
}

/// The number of the place that is in no chunk.
const ALONE: u32 = u32::MAX;

/// The end of a list of free places.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
enum Entry {
    Waker(Waker),
    /// Free, and the next free one.
    Free(u32),
}

/// Some wakers, and the free places between them.
#[derive(Debug)]
pub(super) struct Chunk {
    entries: Vec<Entry>,
    free: u32,
    live: u32,
}

impl Chunk {
    const fn new() -> Chunk {
        Chunk { entries: Vec::new(), free: NONE, live: 0 }
    }

    pub(super) fn wakers(&self) -> impl Iterator<Item = &Waker> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Waker(waker) => Some(waker),
            Entry::Free(_) => None,
        })
    }

    fn insert(&mut self, waker: Waker) -> u32 {
        self.live += 1;
        if let Some(entry) = self.entries.get_mut(self.free as usize) {
            let at = self.free;
            if let Entry::Free(next) = std::mem::replace(entry, Entry::Waker(waker)) {
                self.free = next;
            }
            return at;
        }
        self.entries.push(Entry::Waker(waker));
        self.entries.len() as u32 - 1
    }

    fn remove(&mut self, at: u32) -> Option<Waker> {
        let entry = self.entries.get_mut(at as usize)?;
        let Entry::Waker(waker) = std::mem::replace(entry, Entry::Free(NONE)) else {
            return None;
        };
        *entry = Entry::Free(self.free);
        self.free = at;
        self.live -= 1;
        if self.live == 0 {
            *self = Chunk::new();
        }
        Some(waker)
    }
}

/// The first chunk has 4 places, each one twice those of the one before, up to 1,024.
fn capacity(chunk: u32) -> u32 {
    4 << chunk.min(8)
}

#[derive(Debug)]
pub(super) struct Slab {
    alone: Option<Waker>,
    chunks: Vec<Chunk>,
    open: Vec<u32>,
}

impl Slab {
    pub(super) const fn new() -> Slab {
        Slab { alone: None, chunks: Vec::new(), open: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        // Invariant 2.
        self.alone.is_none() && self.chunks.is_empty()
    }

    pub(super) fn insert(&mut self, waker: Waker) -> Place {
        if self.is_empty() {
            self.alone = Some(waker);
            return Place { chunk: ALONE, at: 0 };
        }
        let number = match self.open.last() {
            Some(&number) => number,
            None => {
                // A process has no four billion chunks.
                let number = self.chunks.len() as u32;
                self.chunks.push(Chunk::new());
                self.open.push(number);
                number
            }
        };
        let chunk = &mut self.chunks[number as usize];
        if chunk.live == 0 {
            chunk.entries.reserve_exact(capacity(number) as usize);
        }
        let at = chunk.insert(waker);
        if chunk.live == capacity(number) {
            self.open.pop();
        }
        Place { chunk: number, at }
    }

    /// Takes the waker at `place` out, which is to be dropped outside of any lock. `None` where it was taken with all.
    pub(super) fn remove(&mut self, place: Place) -> Option<Waker> {
        if place.chunk == ALONE {
            return self.alone.take();
        }
        let chunk = self.chunks.get_mut(place.chunk as usize)?;
        let was_full = chunk.live == capacity(place.chunk);
        let waker = chunk.remove(place.at)?;
        if was_full {
            self.open.push(place.chunk);
        }
        self.shed();
        Some(waker)
    }

    /// Invariant 2. One insertion and removal in 1,024 gets this far, beyond a few.
    fn shed(&mut self) {
        if self.chunks.last().is_none_or(|last| last.live > 0) {
            return;
        }
        while self.chunks.pop_if(|last| last.live == 0).is_some() {}
        let chunks = self.chunks.len() as u32;
        self.open.retain(|&number| number < chunks);
        shrink(&mut self.chunks);
        shrink(&mut self.open);
    }

    /// Takes all out, in chunks.
    pub(super) fn take(&mut self) -> (Option<Waker>, Vec<Chunk>) {
        self.open = Vec::new();
        (self.alone.take(), std::mem::take(&mut self.chunks))
    }
}

/// Gives back what is more than four times what is needed, so that growing and shrinking by turns costs little.
fn shrink<T>(list: &mut Vec<T>) {
    if list.capacity() > 4 * list.len() {
        list.shrink_to(2 * list.len());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Numbered(
        #[expect(dead_code, reason = "wakers of no size would be one and the same")] usize,
    );

    impl Wake for Numbered {
        fn wake(self: Arc<Self>) {}
    }

    fn waker(n: usize) -> Waker {
        Waker::from(Arc::new(Numbered(n)))
    }

    fn taken(slab: &mut Slab) -> usize {
        let (alone, chunks) = slab.take();
        alone.iter().count() + chunks.iter().flat_map(Chunk::wakers).count()
    }

    #[test]
    fn each_place_gives_its_own_waker_back_once() {
        let mut slab = Slab::new();
        let all: Vec<_> = (0..3_000)
            .map(|n| {
                let waker = waker(n);
                (slab.insert(waker.clone()), waker)
            })
            .collect();
        for (n, (place, waker)) in all.iter().enumerate().filter(|(n, _)| n % 3 != 1) {
            assert!(slab.remove(*place).is_some_and(|found| found.will_wake(waker)), "{n}");
        }
        assert_eq!(taken(&mut slab), 1_000);
        assert!(slab.is_empty());
        for (place, _) in all {
            assert!(slab.remove(place).is_none(), "it was taken with all");
        }
    }

    #[test]
    fn one_after_the_other_needs_no_chunk() {
        let mut slab = Slab::new();
        for n in 0..100 {
            let place = slab.insert(waker(n));
            assert!(slab.chunks.capacity() == 0 && slab.open.capacity() == 0);
            assert!(slab.remove(place).is_some() && slab.is_empty());
        }
    }

    #[test]
    fn a_crowd_that_goes_leaves_nothing_and_one_that_stays_keeps_little() {
        for kept in [0, 1, 5_000, 9_999] {
            let mut slab = Slab::new();
            let places: Vec<_> = (0..10_000).map(|n| slab.insert(waker(n))).collect();
            for (n, place) in places.iter().enumerate().filter(|(n, _)| *n != kept) {
                assert!(slab.remove(*place).is_some(), "{n}");
            }
            let entries: usize = slab.chunks.iter().map(|chunk| chunk.entries.capacity()).sum();
            assert!(entries <= 1_024, "{entries} places for one waker");
            assert!(slab.chunks.len() <= 20 && slab.open.len() <= 20);
            assert!(slab.remove(places[kept]).is_some());
            assert!(slab.is_empty() && slab.chunks.capacity() == 0 && slab.open.capacity() == 0);
        }
    }

    #[test]
    fn at_random_it_agrees_with_a_map() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut slab = Slab::new();
        let mut known: Vec<(Place, Waker)> = Vec::new();
        for n in 0..100_000 {
            let grows = if n / 5_000 % 2 == 0 { 60 } else { 40 };
            if known.is_empty() || random.u32(..100) < grows {
                let waker = waker(n);
                let place = slab.insert(waker.clone());
                known.push((place, waker));
            } else {
                let (place, waker) = known.swap_remove(random.usize(..known.len()));
                assert!(slab.remove(place).is_some_and(|found| found.will_wake(&waker)));
            }
            assert_eq!(slab.is_empty(), known.is_empty());
        }
        for (number, chunk) in slab.chunks.iter().enumerate() {
            assert_eq!(chunk.wakers().count(), chunk.live as usize);
            let listed = slab.open.iter().filter(|&&open| open as usize == number).count();
            assert_eq!(listed, usize::from(chunk.live < capacity(number as u32)), "invariant 1");
        }
        assert_eq!(taken(&mut slab), known.len());
    }
}
