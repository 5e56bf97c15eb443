//! How ends count: for the node itself and for all below, which look up and find them. Nothing walks down, and nothing
//! registers with a parent before somebody waits.
//!
//! An *ender* is a node that can end by itself. For a context count its own end, if it is one, and those of the enders
//! above, up to where it was detached: the chain of [`Header::enders`].
//!
//! # Invariants
//! 1. A context has ended exactly when one of its enders has (3.1.6). So the end of a parent is there for all below in
//!    the moment in which its word is set (3.1.2), also for a child that is being made just then (3.1.4).
//! 2. Its cause is that of the nearest ender with an end, unless its deadline had passed by then (3.1.3, 3.1.5). Whoever
//!    asks for it, or ends something, first has each ender in between inherit it, from above downwards: so it stays,
//!    whatever ends in between later on, and a child has the cause its parent has.
//! 3. A deadline that somebody saw pass is an end: it is recorded with the topmost ender whose deadline has passed, since
//!    the clock of another runtime may not be so far.
//! 4. Whoever waits for a context is registered with each of its enders, and so is told by the one that ends first. One
//!    that inherits an end has nobody to tell of it.
//! 5. An end is counted after it is recorded, so between the two a leaf below may not see it. Whoever is told of it counts it
//!    too: leaves that begin after that see it (`end/count.rs`).

use std::iter;
use std::task::Waker;

use tokio::time::Instant;

use super::header::Header;
use crate::end::Keys;
use crate::end::cause::Cause;
use crate::end::count::count_end;
use crate::end::record::{Moment, NEVER, Word};
use crate::fault::{Fault, planted};

impl Header {
    /// Those whose end counts here, the nearest first.
    #[inline]
    pub(super) fn enders(&self) -> impl Iterator<Item = &Header> {
        iter::successors(self.nearest_ender(), |ender| ender.ender_above())
    }

    /// Whether an end that counts here was recorded. Does not look at the clock.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        self.nearest_ender().is_some_and(Header::ender_ended)
    }

    /// Records its own end, as a `cancel` on another thread does before it counts it.
    #[cfg(test)]
    pub(crate) fn end_uncounted(&self) {
        self.end.set(Moment::of_deadline(Instant::now()));
    }

    /// The word of the nearest end that counts here.
    #[inline]
    pub(crate) fn nearest_end(&self) -> &Word {
        self.nearest_ender().map_or(&NEVER, |ender| ender.end.word())
    }

    /// Whether the end of one that can end by itself was recorded, or of one above. As `enders` goes, in half the
    /// instructions.
    #[inline]
    fn ender_ended(&self) -> bool {
        let mut ender = self;
        loop {
            if ender.end.is_set() {
                return true;
            }
            let Some(above) = ender.ender_above() else { return false };
            ender = above;
        }
    }

    /// Whether it has ended. Looks at the clock too. Who is told so finds that leaves know it as well (invariant 5).
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        // Without one that can end there is no deadline either.
        let Some(ender) = self.nearest_ender() else { return false };
        if ender.ender_ended() {
            return self.found_ended();
        }
        self.deadline.is_some() && self.expire_if_due()
    }

    #[cold]
    #[inline(never)]
    fn found_ended(&self) -> bool {
        self.settle().is_some()
    }

    /// Whether the deadline has passed, looking at the clock; if so, the end is recorded by now.
    #[inline(never)]
    pub(crate) fn expire_if_due(&self) -> bool {
        self.deadline.is_some() && self.expire_if_due_at(Instant::now())
    }

    /// The same, where the clock has just told that it is `now`.
    #[inline]
    pub(crate) fn expire_if_due_at(&self, now: Instant) -> bool {
        let due = self.deadline.is_some_and(|deadline| deadline <= now);
        if due {
            self.expire(now);
        }
        due
    }

    /// Invariant 3.
    #[cold]
    fn expire(&self, now: Instant) {
        let due = |ender: &&Header| ender.deadline.is_some_and(|deadline| deadline <= now);
        let Some(top) = self.enders().take_while(due).last() else { return };
        if let Some(deadline) = top.deadline {
            top.end.set(Moment::of_deadline(deadline));
        }
        top.announce();
    }

    /// When and why it ended, if that was recorded; from here on this stays (invariant 2).
    pub(super) fn settle(&self) -> Option<Moment> {
        let nearest = self.nearest_ender()?;
        // What is set never changes.
        if let Some(moment) = nearest.end.moment() {
            nearest.below.told(); // invariant 5
            return Some(moment);
        }
        if nearest.ended() { nearest.inherit() } else { None }
    }

    /// Has each ender from here up to the nearest with an end inherit that, from above downwards (invariant 2).
    #[cold]
    fn inherit(&self) -> Option<Moment> {
        let mut moment = None;
        // Where few are in between, which is nearly always, nothing is allocated.
        let mut few = [self; 8];
        let mut count = 0;
        let mut more = Vec::new();
        for ender in self.enders() {
            moment = ender.end.moment();
            if moment.is_some() {
                break;
            }
            match few.get_mut(count) {
                Some(place) => *place = ender,
                None => more.push(ender),
            }
            count += 1;
        }
        let mut moment = moment?;
        let between = few.iter().take(count).chain(&more).rev();
        let past =
            |ender: &&&Header| planted(Fault::InheritsPastOthers) && !std::ptr::eq(**ender, self);
        for ender in between.filter(|ender| !past(ender)) {
            let own = ender.deadline.filter(|deadline| moment.is_after(*deadline));
            moment = ender.end.set(own.map_or(moment, Moment::of_deadline).inherited());
        }
        // Invariant 5.
        if !planted(Fault::LeavesTheCountToOthers) {
            count_end();
        }
        Some(moment)
    }

    /// Why it ended, if that was recorded.
    pub(super) fn recorded_cause(&self) -> Option<Cause> {
        let moment = self.settle()?;
        moment.cause().or_else(|| {
            // The error is with the ender that did not inherit its end, as all between here and there did.
            let inherits = |ender: &&Header| ender.end.moment().is_some_and(Moment::is_inherited);
            let source = self.enders().find(|ender| !inherits(ender))?;
            source.end.error().map(Cause::Custom)
        })
    }

    /// Ends it with `cause`, where it is an ender and has not ended; a deadline that has passed came first (3.1.5). When
    /// this returns, whoever waited for it was told.
    pub(super) fn end_with(&self, cause: &Cause) {
        let Some(ender) = self.nearest_ender() else { return };
        let now = Instant::now();
        if planted(Fault::TellsFirst) {
            ender.end.tell();
        }
        if planted(Fault::CountsFirst) {
            ender.below.ended();
        }
        if planted(Fault::EndsWithoutSettling) || ender.settle().is_none() {
            if ender.deadline.is_some_and(|deadline| deadline <= now) {
                ender.expire(now);
            } else {
                ender.end.bring(now, cause);
            }
        }
        if !planted(Fault::TellsFirst) {
            ender.announce();
        }
    }

    /// Once its end is recorded: counts that, if there is anyone below, and tells all that wait.
    fn announce(&self) {
        if !planted(Fault::CountsFirst) {
            self.below.ended();
        }
        self.end.tell();
    }

    /// Tells all that wait of each end that counts here. When this returns, all were woken; false where another thread is
    /// still inside a call of one of the wakers.
    pub(super) fn tell(&self) -> bool {
        // Invariant 4. Whoever ends what had inherited an end still tells those who wait there.
        let settled = |ender: &Header| match ender.end.moment() {
            None => true,
            Some(moment) if moment.is_inherited() => {
                !ender.end.is_being_told() || planted(Fault::ForgetsWhoTellsAgain)
            }
            Some(_) => ender.end.tell(),
        };
        // Each of them, also behind one that is not settled.
        self.enders().filter(|ender| !settled(ender)).count() == 0
    }

    /// Has `waker` woken at the end: invariant 4. False, and it is not, where that has come.
    pub(super) fn register(&self, waker: &Waker, keys: &mut Keys) -> bool {
        for ender in self.enders() {
            match ender.end.register(waker) {
                Some(key) => keys.push(key),
                None => {
                    self.unregister(keys);
                    return false;
                }
            }
        }
        true
    }

    /// Takes back what [`register`](Header::register) did.
    pub(super) fn unregister(&self, keys: &mut Keys) {
        self.enders().zip(keys.take()).for_each(|(ender, key)| ender.end.unregister(key));
    }
}
