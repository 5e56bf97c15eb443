//! [`Entry`]: one piece of work that is live, and what it waits for.
//!
//! # Invariants
//! 1. Of an entry's awaits one thread at a time has the ones that are at hand, which is the one that polls it. What others see
//!    is the picture that it left after its last poll.
//! 2. Foreign code never runs under a lock of this crate: contexts are dropped after it.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctxprop::Ctx;
use ctxprop::observe::{self, ObservedKind};
use tokio::time::Instant;

use crate::clock;

/// Of one piece of work so many awaits are known. One that polls more at once is a `join_all` over thousands: the first ones
/// tell what it is.
const MOST_AWAITS: usize = 256;

/// One piece of work.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) kind: ObservedKind,
    /// Of a request, its method and route.
    pub(crate) name: Option<Box<str>>,
    /// What it polls.
    pub(crate) what: &'static str,
    pub(crate) place: &'static Location<'static>,
    pub(crate) ctx: Ctx,
    pub(crate) began: u64,
    /// What was polled where it was spawned.
    pub(crate) spawned_in: Option<u64>,
    /// Zero where no thread polls it in this moment.
    running_since: AtomicU64,
    saw_its_end: AtomicBool,
    awaits: Mutex<Awaits>,
}

#[derive(Default)]
struct Awaits {
    /// Those at hand, between polls.
    at_hand: Vec<Pending>,
    picture: Vec<Pending>,
    /// Of a request, those that were pending when its context ended.
    at_the_end: Vec<Pending>,
}

/// An await, or something else that is polled, which is not over.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) id: u64,
    pub(crate) depth: u16,
    pub(crate) kind: ObservedKind,
    pub(crate) place: &'static Location<'static>,
    pub(crate) what: &'static str,
    pub(crate) since: u64,
    /// Of a shield and of a scope, where it has a deadline: what that granted, and when it is over.
    pub(crate) limit: Option<(u64, u64)>,
    /// Of a scope: how its context ended, once it was polled after that.
    pub(crate) end: Option<Seen>,
}

/// An end that was seen.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) cause: &'static str,
    pub(crate) at: u64,
    pub(crate) by: Option<&'static Location<'static>>,
}

impl Seen {
    /// That of `ctx`, if it was recorded.
    pub(crate) fn of(ctx: &Ctx) -> Option<Seen> {
        let end = observe::end(ctx)?;
        Some(Seen { cause: end.cause.as_str(), at: clock::at(end.at), by: end.place })
    }
}

impl Entry {
    pub(crate) fn new(
        id: u64,
        kind: ObservedKind,
        name: Option<Box<str>>,
        (what, place): (&'static str, &'static Location<'static>),
        ctx: Ctx,
        (began, spawned_in): (u64, Option<u64>),
    ) -> Entry {
        Entry {
            id,
            kind,
            name,
            what,
            place,
            ctx,
            began,
            spawned_in,
            running_since: AtomicU64::new(0),
            saw_its_end: AtomicBool::new(false),
            awaits: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Awaits> {
        // Nothing that can panic runs under it.
        self.awaits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread begins to poll it, and takes the awaits at hand.
    pub(crate) fn begins(&self, now: u64) -> Vec<Pending> {
        self.running_since.store(now, Relaxed);
        std::mem::take(&mut self.lock().at_hand)
    }

    /// It gives them back.
    pub(crate) fn ends(&self, at_hand: Vec<Pending>, changed: bool) {
        let mut awaits = self.lock();
        if changed {
            awaits.picture.clear();
            awaits.picture.extend_from_slice(&at_hand);
        }
        awaits.at_hand = at_hand;
        drop(awaits);
        self.running_since.store(0, Relaxed);
    }

    /// Whether its context has ended, at the first look that finds it so.
    pub(crate) fn sees_its_end(&self) -> bool {
        if self.saw_its_end.load(Relaxed) {
            return false;
        }
        // A scope looks at its deadline after this, in the same poll.
        let is_due = |deadline| deadline <= Instant::now();
        let ended = observe::has_ended(&self.ctx) || self.ctx.deadline().is_some_and(is_due);
        ended && !self.saw_its_end.swap(true, Relaxed)
    }

    /// What a request waited for when it ended: what was told first stays.
    pub(crate) fn waited_for(&self, pending: &[Pending]) {
        let mut awaits = self.lock();
        if awaits.at_the_end.is_empty() {
            awaits.at_the_end.extend_from_slice(pending);
        }
    }

    pub(crate) fn picture(&self) -> Vec<Pending> {
        self.lock().picture.clone()
    }

    pub(crate) fn at_the_end(&self) -> Vec<Pending> {
        std::mem::take(&mut self.lock().at_the_end)
    }

    pub(crate) fn running_since(&self) -> Option<u64> {
        Some(self.running_since.load(Relaxed)).filter(|since| *since != 0)
    }
}

/// The awaits of one piece of work while it is polled.
pub(crate) struct AtHand {
    list: Vec<Pending>,
    /// Behind the one that was polled last: most are polled in their order.
    next: usize,
    changed: bool,
}

impl AtHand {
    pub(crate) fn new(list: Vec<Pending>) -> AtHand {
        AtHand { list, next: 0, changed: false }
    }

    pub(crate) fn into_parts(self) -> (Vec<Pending>, bool) {
        (self.list, self.changed)
    }

    fn find(&self, id: u64) -> Option<usize> {
        let is = |at: &usize| self.list.get(*at).is_some_and(|pending| pending.id == id);
        Some(self.next).filter(is).or_else(|| self.list.iter().rposition(|one| one.id == id))
    }

    /// It is known: the next that is polled is probably the one behind it. Of a scope, its context is given.
    pub(crate) fn polls(&mut self, id: u64, ctx: Option<&Ctx>) -> bool {
        let Some(at) = self.find(id) else { return false };
        self.next = at + 1;
        if let (Some(ctx), None) = (ctx, self.list[at].end)
            && observe::has_ended(ctx)
        {
            self.list[at].end = Seen::of(ctx);
            self.changed = true;
        }
        true
    }

    /// It is new, and inside of the one that is polled.
    pub(crate) fn add(&mut self, pending: Pending) {
        if self.list.len() < MOST_AWAITS {
            // Behind what has been polled before it in there, with all that is inside of that.
            let mut at = self.next.min(self.list.len());
            while self.list.get(at).is_some_and(|next| next.depth > pending.depth) {
                at += 1;
            }
            self.list.insert(at, pending);
            self.next = at + 1;
            self.changed = true;
        }
    }

    /// It is over, and so is all inside.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let Some(at) = self.find(id) else { return false };
        let depth = self.list[at].depth;
        let inside = self.list[at + 1..].iter().take_while(|one| one.depth > depth).count();
        self.list.drain(at..=at + inside);
        self.next = at;
        self.changed = true;
        true
    }
}
