//! Frames: which active shields hold what, so that code after the end of its context may go on, and is not given up.
//!
//! A frame is a scope, or a branch of a `join!` or `select!`, while it is polled. The function calls inside a scope need no
//! frames of their own: they run one after the other, so that a shield that is pending belongs to all of them.
//!
//! # Invariants
//! 1. A shield is in the frames around it from its first pending poll until it is ready or dropped. It is asked no more
//!    once its limit has passed: nobody may be polling it then.
//! 2. A shield is a frame's own if no running branch of a `join!` is on the way from the frame to it; else it is there
//!    through that branch. What asks from inside another branch counts only what is the frame's own: a sibling's shield
//!    is not one's own (3.2).
//! 3. Foreign code never runs under the lock: a waker is woken and dropped after it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::time::Instant;

/// What a frame is, for those who look up from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scope,
    /// A branch that others run beside.
    Branch,
    /// The scope of a shield's work: its limit is the end in there, whatever holds outside.
    Shield,
}

/// The limit of a shield, and a number that no other has meanwhile. By its limit, so that those which have passed come
/// first.
pub(crate) type Held = (Instant, usize);

/// The shields that hold one frame: made for the first one.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<Sets>);

#[derive(Debug, Default)]
struct Sets {
    own: BTreeSet<Held>,
    through: BTreeSet<Held>,
    /// Whoever waits because of a shield that it may not be polling.
    waiter: Option<Waker>,
}

/// Which shields of a frame count (invariant 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    All,
    Own,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Sets> {
        // Nothing that can panic runs under the lock (invariant 3).
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a shield; as the frame's own, or through a branch.
    pub(crate) fn insert(&self, held: Held, count: Count) {
        let mut sets = self.lock();
        match count {
            Count::Own => sets.own.insert(held),
            Count::All => sets.through.insert(held),
        };
    }

    /// Takes a shield out that is over.
    pub(crate) fn remove(&self, held: &Held) {
        let mut sets = self.lock();
        let known = sets.own.remove(held) | sets.through.remove(held);
        let waiter = sets.waiter.take_if(|_| known);
        drop(sets);
        waiter.into_iter().for_each(Waker::wake);
    }

    /// Whether a shield that counts is active. If so, `waker` is woken when one of them is over.
    pub(crate) fn is_active(&self, count: Count, now: Instant, waker: Option<&Waker>) -> bool {
        let waker = waker.cloned();
        let mut sets = self.lock();
        sets.forget_before(now);
        let active = !sets.own.is_empty() || count == Count::All && !sets.through.is_empty();
        let old = match waker {
            Some(waker) if active => sets.waiter.replace(waker),
            unused => unused,
        };
        drop(sets);
        drop(old);
        active
    }

    /// The branch that this is the frame of is over: what it holds.
    pub(crate) fn left_behind(&self) -> Vec<Held> {
        let sets = self.lock();
        sets.own.iter().chain(&sets.through).copied().collect()
    }

    /// A shield that was there through a branch is the frame's own now.
    pub(crate) fn take_over(&self, held: Held) {
        let mut sets = self.lock();
        if sets.through.remove(&held) {
            sets.own.insert(held);
        }
    }
}

impl Sets {
    /// Forgets those whose limit has passed (invariant 1).
    fn forget_before(&mut self, now: Instant) {
        for set in [&mut self.own, &mut self.through] {
            while set.first().is_some_and(|(limit, _)| *limit <= now) {
                set.pop_first();
            }
        }
    }
}

/// Has the frame hold a set, if it has none.
pub(crate) fn made(holds: &Cell<Option<Arc<Holds>>>) -> Arc<Holds> {
    let known = holds.take().unwrap_or_default();
    holds.set(Some(Arc::clone(&known)));
    known
}

/// The frames that one [`Shielding`](super::shield::Shielding) holds.
#[derive(Debug, Default)]
pub(crate) struct Holding(Option<Box<(Held, Vec<Arc<Holds>>)>>);

impl Holding {
    /// Holds one more frame, unless it does.
    pub(crate) fn add(&mut self, holds: Arc<Holds>, held: impl FnOnce() -> Held, count: Count) {
        let (held, frames) = &mut **self.0.get_or_insert_with(|| Box::new((held(), Vec::new())));
        if !frames.iter().any(|known| Arc::ptr_eq(known, &holds)) {
            holds.insert(*held, count);
            frames.push(holds);
        }
    }

    /// Lets all of them go.
    pub(crate) fn release(&mut self) {
        if let Some(holding) = self.0.take() {
            let (held, frames) = *holding;
            frames.iter().for_each(|holds| holds.remove(&held));
        }
    }
}
