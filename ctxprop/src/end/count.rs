//! The count of ends, by which a leaf knows that none came above without looking at each context there.
//!
//! Counted are the ends of which somebody below may have to know: of contexts that others depend on. The count is one for the
//! process, and is only written where such an end comes.
//!
//! # Invariants
//! 1. An end is counted after its word is set. Whoever keeps a count reads it before it looks at the words: an end that it
//!    does not find there counts more than it has kept.
//! 2. Whoever is made below makes itself known and then looks at the word; whoever ends a context sets the word and then looks
//!    who is below. The first is a sequentially consistent write of [`Below`] and such a read of the [`Word`], the second has a
//!    fence in between: so one of the two sees the other. On x86 that read is as cheap as any, where a fence would wait for
//!    all that was written.
//! 3. Between the two steps of invariant 1 an end may be told that is not counted. Whoever is told of it counts it, so that
//!    each leaf that begins after that finds it, on whichever thread.
//!
//! [`Word`]: super::record::Word

use crate::fault::{Fault, planted};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

static ENDS: AtomicU64 = AtomicU64::new(0);

/// What was counted so far. An end that is recorded later counts more.
#[inline]
pub(crate) fn ends() -> u64 {
    // Acquire: whoever sees the count sees the end that was counted.
    ENDS.load(Ordering::Acquire)
}

/// Counts an end that was recorded.
pub(crate) fn count_end() {
    ENDS.fetch_add(1, Ordering::Release);
}

/// How many live contexts that can end by themselves have one context as the nearest of its kind above.
#[derive(Debug)]
pub(crate) struct Below(AtomicU32);

/// Whoever was told of the end has counted it (invariant 3). Nobody has so many below.
const COUNTED: u32 = 1 << 31;

impl Below {
    pub(crate) const fn new() -> Below {
        Below(AtomicU32::new(0))
    }

    /// One more is made (invariant 2).
    #[inline]
    pub(crate) fn join(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// One of them is gone.
    #[inline]
    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn len(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & !COUNTED
    }

    /// Once the word is set: counts the end, if there is anyone below.
    pub(crate) fn ended(&self) {
        fence(Ordering::SeqCst); // invariant 2
        if self.len() > 0 {
            count_end();
        }
    }

    /// Invariant 3.
    pub(crate) fn told(&self) {
        // Acquire, Release: who finds that it was counted finds the count. Sequentially consistent, as is how the word was
        // read: else one might be missed that has just joined, and did not see the word (invariant 2).
        let below = self.0.load(Ordering::SeqCst);
        if below & COUNTED == 0 && below > 0 && !planted(Fault::LeavesTheCountToOthers) {
            count_end();
            self.0.fetch_or(COUNTED, Ordering::Release);
        }
    }
}

/// The gate has miri run it, which tries what a machine may do that orders memory weakly.
#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use tokio::time::Instant;

    use super::*;
    use crate::end::record::{End, Moment};

    /// Invariant 2: fails under miri where the word is read by `Acquire`, or the fence is left out.
    #[test]
    fn weak_memory_hides_no_end_from_who_is_made_in_that_moment() {
        for _ in 0..100 {
            let shared = Arc::new((End::<()>::new(), Below::new()));
            let (ends_it, joins) = (Arc::clone(&shared), Arc::clone(&shared));
            let ending = thread::spawn(move || {
                ends_it.0.set(Moment::of_deadline(Instant::now()));
                ends_it.1.ended();
            });
            let making = thread::spawn(move || {
                joins.1.join();
                let asked = ends();
                (asked, joins.0.is_set())
            });
            let (asked, seen) = making.join().unwrap();
            ending.join().unwrap();
            assert!(seen || asked != ends(), "neither of the two saw the other");
        }
    }

    /// Invariant 3, where the one who is told tells another.
    #[test]
    fn weak_memory_hides_no_end_from_who_was_told() {
        for _ in 0..100 {
            let shared = Arc::new((End::<()>::new(), Below::new()));
            shared.1.join();
            let asked = ends();
            assert!(!shared.0.is_set());
            let ends_it = Arc::clone(&shared);
            let ending = thread::spawn(move || {
                ends_it.0.set(Moment::of_deadline(Instant::now()));
                ends_it.1.ended();
            });
            let told = Arc::clone(&shared);
            let asks = thread::spawn(move || {
                let told_so = told.0.is_set();
                if told_so {
                    told.1.told();
                }
                told_so
            });
            if asks.join().unwrap() {
                assert_ne!(asked, ends(), "what was told is not counted");
            }
            ending.join().unwrap();
        }
    }

    /// Invariant 3, where one more is made in that moment: fails under miri where either is read by `Acquire`.
    #[test]
    fn weak_memory_hides_no_end_from_who_is_made_while_others_are_told() {
        for asks in [End::is_set, |end: &End<()>| end.moment().is_some()] {
            for _ in 0..50 {
                let shared = Arc::new((End::<()>::new(), Below::new()));
                let [ends_it, joins, told] = [(); 3].map(|()| Arc::clone(&shared));
                // And counts it later.
                let ending =
                    thread::spawn(move || ends_it.0.set(Moment::of_deadline(Instant::now())));
                let making = thread::spawn(move || {
                    joins.1.join();
                    let asked = ends();
                    (asked, joins.0.is_set())
                });
                let asking = thread::spawn(move || {
                    let told_so = asks(&told.0);
                    if told_so {
                        told.1.told();
                    }
                    told_so
                });
                let (asked, seen) = making.join().unwrap();
                let told_so = asking.join().unwrap();
                assert!(!told_so || seen || asked != ends(), "what was told is not counted");
                ending.join().unwrap();
            }
        }
    }
}
