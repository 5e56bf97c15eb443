//! Frames: which active shields hold what, so that code after the end of its context may go on, and is not given up.
//!
//! A frame is a scope, or a branch of a `join!` or `select!`, while it is polled. The function calls inside a scope need no
//! frames of their own: they run one after the other, so that a shield that is pending belongs to all of them.
//!
//! # Invariants
//! 1. A shield is in the frames around it from its first pending poll until it is ready or dropped. It is asked no more
//!    once its limit has passed: nobody may be polling it then.
//! 2. A frame knows of each shield the outermost join on the way down to it, if there is one. What asks from inside a
//!    branch of that same join does not count it: a sibling's shield is not one's own (3.2.43).
//! 3. Foreign code never runs under the lock: a waker is woken and dropped after it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Waker;

use tokio::time::Instant;

use crate::fault::{Fault, planted};
use crate::run::current::{ended, go_up};
use crate::sync::{Mutex, MutexGuard, lock};

/// What a frame is, for those who look up from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Scope,
    /// A branch that others run beside.
    Branch(JoinId),
    /// The scope of a shield's work: its limit is the end in there, whatever holds outside.
    Shield,
}

/// Tells the joins apart that are polled at the same time: an address. There is none on a way that crosses no branch.
pub(crate) type JoinId = Option<NonZeroUsize>;

/// The limit of a shield, and a number that no other has meanwhile. By its limit, so that those which have passed come
/// first.
pub(crate) type Held = (Instant, usize);

/// The shields that hold one frame: made for the first one.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<Sets>);

#[derive(Debug, Default)]
struct Sets {
    /// By the outermost join on the way to them (invariant 2). They are few.
    through: Vec<(JoinId, BTreeSet<Held>)>,
    /// Whoever waits because of a shield that it may not be polling.
    waiter: Option<Waker>,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Sets> {
        lock(&self.0)
    }

    /// Adds a shield that is found by way of `join`.
    pub(crate) fn insert(&self, held: Held, join: JoinId) {
        self.lock().of(join).insert(held);
    }

    /// Takes a shield out that is over.
    pub(crate) fn remove(&self, held: &Held) {
        let mut sets = self.lock();
        let known = sets.through.iter_mut().any(|(_, set)| set.remove(held));
        sets.through.retain(|(_, set)| !set.is_empty());
        let waiter = sets.waiter.take_if(|_| known && !planted(Fault::ReleasesWithoutWaking));
        drop(sets);
        waiter.into_iter().for_each(Waker::wake);
    }

    /// Whether a shield is active that counts for what asks by way of `join`. If so, `waker` is woken when one is over.
    pub(crate) fn is_active(&self, join: JoinId, now: Instant, waker: Option<&Waker>) -> bool {
        let waker = waker.cloned();
        let mut sets = self.lock();
        sets.forget_before(now);
        let counts = |(of, _): &(JoinId, _)| of.is_none() || *of != join;
        let active = sets.through.iter().any(counts);
        let old = match waker {
            Some(waker) if active => sets.waiter.replace(waker),
            unused => unused,
        };
        drop(sets);
        drop(old);
        active
    }

    /// What it holds, where the branch that this is the frame of is over.
    pub(crate) fn left_behind(&self) -> Vec<Held> {
        let sets = self.lock();
        sets.through.iter().flat_map(|(_, set)| set).copied().collect()
    }

    /// A shield that was found by way of `join`, which it has left, is the frame's own now.
    pub(crate) fn take_over(&self, held: Held, join: JoinId) {
        let mut sets = self.lock();
        if sets.of(join).remove(&held) {
            sets.of(None).insert(held);
        }
        sets.through.retain(|(_, set)| !set.is_empty());
    }
}

impl Sets {
    fn of(&mut self, join: JoinId) -> &mut BTreeSet<Held> {
        let known = self.through.iter().position(|(of, _)| *of == join);
        let at = known.unwrap_or_else(|| {
            self.through.push((join, BTreeSet::new()));
            self.through.len() - 1
        });
        &mut self.through[at].1
    }

    /// Forgets those whose limit has passed (invariant 1).
    fn forget_before(&mut self, now: Instant) {
        for (_, set) in &mut self.through {
            while set.first().is_some_and(|(limit, _)| *limit <= now) {
                set.pop_first();
            }
        }
        self.through.retain(|(_, set)| !set.is_empty());
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
    pub(crate) fn add(&mut self, holds: Arc<Holds>, held: impl FnOnce() -> Held, join: JoinId) {
        let (held, frames) = &mut **self.0.get_or_insert_with(|| Box::new((held(), Vec::new())));
        if !frames.iter().any(|known| Arc::ptr_eq(known, &holds)) {
            holds.insert(*held, join);
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

/// Whether code at hand may go on after the end, because its frame, or one above, is held by an active shield. From a
/// branch of `join`, with `holds`, that is asked first. If so, `waker` is woken when the shield is over.
#[cold]
pub(crate) fn may_go_on(join: JoinId, holds: Option<&Arc<Holds>>, waker: Option<&Waker>) -> bool {
    let now = Instant::now();
    if holds.is_some_and(|holds| holds.is_active(None, now, waker)) {
        return true;
    }
    let (mut join, mut active) = (join, false);
    go_up(|frame| {
        if let Some(holds) = frame.holds().take() {
            active = holds.is_active(join, now, waker);
            frame.holds().set(Some(holds));
        }
        if let FrameKind::Branch(of) = frame.kind {
            join = of;
        }
        !active && frame.kind != FrameKind::Shield
    });
    active
}

/// A shield that stays pending holds all frames around it.
#[cold]
pub(crate) fn hold(holding: &mut Holding, held: impl Fn() -> Held) {
    let mut join = None;
    let mut skipped = !planted(Fault::HoldsOneFrameLess);
    go_up(|frame| {
        if std::mem::replace(&mut skipped, true) {
            holding.add(made(frame.holds()), &held, join);
        }
        if let FrameKind::Branch(of) = frame.kind {
            join = of;
        }
        true
    });
}

/// A branch of `join` is over: the shields in it belong to the frame around that from now on, as far as no other branch
/// is between (`frame.rs`, invariant 2).
#[cold]
pub(crate) fn branch_is_over(join: JoinId, holds: &Holds) {
    for held in holds.left_behind().into_iter().filter(|_| !planted(Fault::LeavesNothingBehind)) {
        go_up(|frame| {
            if let Some(holds) = frame.holds().take() {
                holds.take_over(held, join);
                frame.holds().set(Some(holds));
            }
            !matches!(frame.kind, FrameKind::Branch(_))
        });
    }
}

/// Whether what has not begun is to begin no more: the context has ended, by the flag and not the clock, and nothing
/// holds.
#[inline]
pub(crate) fn refuses() -> bool {
    ended() && !may_go_on(None, None, None)
}
