//! What `join!`, `try_join!` and `select!` have in common: branches that are polled one after the other, each in a frame of
//! its own, until all are ready or the first one decides.
//!
//! # Invariants
//! 1. Nothing that has begun is dropped at the end before it had its unwinding: after the end the first that decides does
//!    not cut the others short, which go on until each is ready, or stays pending after a poll that knew of the end and is
//!    held by no shield. Before the end it does, as in tokio.
//! 2. What has not begun when that one came does not begin (3.2.22, 3.2.23).
//! 3. A branch that is ready is polled no more.

use std::num::NonZeroUsize;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::body::How;
use crate::fault::{Fault, planted};
use crate::run::current;
use crate::run::frame::{self, Holds, JoinId};

/// The most branches that one macro takes, as with tokio.
pub(crate) const MOST: u32 = 64;

/// What the poll of a branch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    Pending,
    Ready,
    /// It is ready, and needs no other.
    Decides,
    /// It is ready, and no other is waited for.
    Stops,
}

/// In which order branches are polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they are written: `biased;`.
    Written,
    /// Each time the next one is the first, as the `join!` of tokio does it.
    Rotating,
    /// Any may be the first, as in the `select!` of tokio.
    Random,
}

#[derive(Debug)]
pub(crate) struct Race {
    /// The branches that are to be polled, one bit each.
    live: u64,
    /// The frames' shields, one a branch. Made for the first.
    holds: Option<Box<[Option<Arc<Holds>>]>>,
    count: u8,
    next: u8,
    /// The branch that decided.
    first: Option<u8>,
    order: Order,
    /// Whether all that are live have begun.
    begun: bool,
    /// Whether what awaits this can be given the end.
    unwinds: bool,
    /// Whether it waits for what has begun, at the end (invariant 1).
    waits: bool,
}

impl Race {
    pub(crate) fn new<H: How>(count: u32, order: Order) -> Race {
        let count = count.min(MOST);
        let live = if count == MOST { u64::MAX } else { (1 << count) - 1 };
        Race {
            live,
            holds: None,
            count: count as u8,
            next: 0,
            first: None,
            order,
            begun: false,
            unwinds: H::UNWINDS,
            waits: H::WAITS,
        }
    }

    /// Takes out the branches that are not to be polled.
    pub(crate) fn disable(&mut self, branches: u64) {
        self.live &= !branches;
    }

    /// Whether there is a branch to poll.
    pub(crate) fn is_live(&self) -> bool {
        self.live != 0
    }

    /// Whether the end keeps it from beginning.
    #[inline]
    pub(crate) fn is_refused(&self) -> bool {
        !self.begun && self.unwinds && self.is_live() && frame::refuses()
    }

    /// Whether it is over although branches are pending, and none decided.
    pub(crate) fn is_given_up(&self) -> bool {
        self.first.is_none() && self.is_live()
    }

    /// The branch that decided.
    pub(crate) fn first(&self) -> Option<u32> {
        self.first.map(u32::from)
    }

    /// Polls the branches by `poll`, which is told whether what decides after the end has to be kept while others unwind.
    /// Ready when it is decided, or all are over.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(u32, &mut Context<'_>, bool) -> Polled,
    ) -> Poll<()> {
        let count = u32::from(self.count);
        let start = match self.order {
            Order::Written => 0,
            Order::Rotating => {
                let start = self.next;
                self.next = if start + 1 < self.count { start + 1 } else { 0 };
                u32::from(start)
            }
            Order::Random if count > 1 => fastrand::u32(0..count),
            Order::Random => 0,
        };
        for n in (start..count).chain(0..start) {
            let bit = 1 << n;
            if self.live & bit == 0 {
                continue;
            }
            if self.first.is_some() && !self.begun {
                self.live &= !bit; // invariant 2
                continue;
            }
            let waits = self.waits;
            let polled = self.in_frame(n, || poll(n, cx, waits));
            if polled == Polled::Pending {
                continue;
            }
            self.live &= !bit;
            match polled {
                Polled::Stops => return Poll::Ready(()),
                Polled::Decides => {
                    self.first.get_or_insert(n as u8);
                    let waits = self.waits && !planted(Fault::CutsTheOthersShort);
                    if !waits || !current::ended() {
                        return Poll::Ready(());
                    }
                }
                Polled::Ready | Polled::Pending => {}
            }
        }
        self.begun = true;
        let may_end = || self.unwinds || self.first.is_some();
        let known = || current::seen() || planted(Fault::UnwindsOnePollEarly) && current::ended();
        if self.live == 0 || self.waits && known() && may_end() && self.all_unwound(cx) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Where it is: it stays there from its first poll on, being part of a future.
    fn id(&self) -> JoinId {
        NonZeroUsize::new(ptr::from_ref(self).addr())
    }

    /// Polls a branch in its frame.
    fn in_frame(&mut self, n: u32, poll: impl FnOnce() -> Polled) -> Polled {
        let known = self.holds.as_mut().and_then(|holds| holds.get_mut(n as usize));
        let mut holds = known.and_then(Option::take);
        let polled = current::poll_branch(self.id(), &mut holds, poll);
        if let Some(holds) = holds {
            self.keep(n, holds, polled);
        }
        polled
    }

    #[cold]
    fn keep(&mut self, n: u32, holds: Arc<Holds>, polled: Polled) {
        if polled != Polled::Pending {
            return frame::branch_is_over(self.id(), &holds);
        }
        let count = usize::from(self.count);
        let all = self.holds.get_or_insert_with(|| (0..count).map(|_| None).collect());
        if let Some(place) = all.get_mut(n as usize) {
            *place = Some(holds);
        }
    }

    /// Whether no branch that is pending may go on.
    #[cold]
    fn all_unwound(&self, cx: &mut Context<'_>) -> bool {
        let holds = |n: usize| self.holds.as_ref().and_then(|all| all.get(n)?.as_ref());
        let goes_on = |n: &usize| frame::may_go_on(self.id(), holds(*n), Some(cx.waker()));
        !(0..usize::from(self.count)).filter(|n| self.live >> n & 1 == 1).any(|n| goes_on(&n))
    }
}
