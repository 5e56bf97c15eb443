//! What every kind of node has: the way up, its deadline, and its own end. How ends count is `ended.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::callbacks::Callbacks;
use super::deadline::Deadline;
use super::handle::{Links, Node};
use super::observed::{EndedBy, Origin};
use crate::end::count::Below;
use crate::end::record::{End, Moment};

/// What every kind of node has.
pub(crate) struct Header {
    pub(super) links: Links,
    /// Of a value, the number of its type; else 0.
    pub(super) value_type: u8,
    /// The earlier of its own and that of what ends it from above (3.1.1).
    pub(super) deadline: Option<Instant>,
    /// What was granted as that deadline was set, in nanoseconds.
    budget: u64,
    pub(super) end: End<Arc<Callbacks>>,
    pub(super) below: Below,
    /// How many nodes are above, up to what fits.
    depth: u16,
    pub(super) marks: Marks,
    /// Where it was made.
    #[cfg_attr(not(feature = "observe"), expect(dead_code, reason = "it is nothing"))]
    pub(super) origin: Origin,
    /// Where it was ended.
    #[cfg_attr(not(feature = "observe"), expect(dead_code, reason = "it is nothing"))]
    pub(super) ended_by: EndedBy,
}

/// What is to be known of a node without asking its part, in one byte: six flags of a byte each would make every node a
/// word longer.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks(u8);

impl Marks {
    /// It can end by itself, before whatever is above.
    const ENDS: u8 = 1;
    /// It has a deadline of its own.
    const TIMED: u8 = 2;
    /// It is the context of a request that came in.
    pub(super) const REQUEST: u8 = 4;

    /// These, and `mark` where it `holds`.
    #[inline]
    pub(super) const fn and(self, mark: u8, holds: bool) -> Marks {
        Marks(if holds { self.0 | mark } else { self.0 })
    }

    #[inline]
    pub(super) const fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }
}

/// What ends a context from above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EndsWith {
    /// What ends its parent.
    #[default]
    Parent,
    /// Nothing: it was detached.
    Nothing,
    /// What ends the outermost context above, unless that is a request: the server, which shuts down.
    Server,
}

/// What a new context adds to when and how its parent ends.
#[derive(Clone, Copy, Default)]
pub(crate) struct Additions {
    /// It can be ended by itself, even where it has no deadline of its own.
    pub(crate) cancellable: bool,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) ends_with: EndsWith,
    /// It is the context of a request that came in.
    pub(crate) request: bool,
}

impl Header {
    /// That of a root, which nothing can end.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub(super) fn root() -> Header {
        Header {
            links: Links::root(),
            value_type: 0,
            deadline: None,
            budget: 0,
            end: End::new(),
            below: Below::new(),
            depth: 0,
            marks: Marks::default(),
            origin: Origin::here(),
            ended_by: EndedBy::default(),
        }
    }

    /// That of a child of `parent`. If that has ended it is born ended (3.1.4). `value_type` is the number of the type of the
    /// value that its part is, or 0. Inlined, since most of it depends on what is added, which is known where it is
    /// called.
    #[inline(always)]
    #[cfg_attr(feature = "observe", track_caller)]
    pub(super) fn below(parent: &Node, add: Additions, value_type: u8) -> Header {
        let links = Links::below(parent, add.ends_with);
        let above = links.ender().map(|above| &**above);
        let (outer, outer_budget) = above.map_or((None, 0), |above| (above.deadline, above.budget));
        let own = match (add.deadline, outer) {
            (Some(own), Some(outer)) if outer <= own.at => None,
            (own, _) => own,
        };
        let marks = Marks::default()
            .and(Marks::ENDS, add.cancellable || own.is_some())
            .and(Marks::TIMED, own.is_some())
            .and(Marks::REQUEST, add.request);
        let (deadline, budget) = match own {
            Some(own) => (Some(own.at), own.budget),
            None => (outer, outer_budget),
        };
        if marks.has(Marks::ENDS)
            && let Some(above) = above
        {
            above.below.join();
        }
        let end = match own {
            Some(own) if own.budget == 0 || above.is_some_and(Header::ended) => born(above, own),
            _ => End::new(),
        };
        Header {
            value_type,
            deadline,
            budget,
            end,
            below: Below::new(),
            depth: parent.depth.saturating_add(1),
            marks,
            origin: Origin::here(),
            ended_by: EndedBy::default(),
            links,
        }
    }

    /// Whether it can end by itself.
    #[inline]
    pub(super) fn ends(&self) -> bool {
        self.marks.has(Marks::ENDS)
    }

    /// The nearest that can end by itself, of those above whose end counts here.
    #[inline]
    pub(super) fn ender_above(&self) -> Option<&Header> {
        self.links.ender().map(|above| &**above)
    }

    /// The nearest that can end by itself: this one, or one above whose end counts here.
    #[inline]
    pub(crate) fn nearest_ender(&self) -> Option<&Header> {
        if self.ends() { Some(self) } else { self.ender_above() }
    }

    /// The earlier of its own and that of what ends it from above.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What the deadline had granted when it was set, if there is one.
    pub(super) fn budget(&self) -> Option<Duration> {
        self.deadline.map(|_| Duration::from_nanos(self.budget))
    }

    /// How many live nodes that can end by themselves have this one as the nearest of its kind above.
    pub(super) fn members(&self) -> usize {
        self.below.len() as usize
    }

    pub(super) fn depth(&self) -> u16 {
        self.depth
    }

    /// Whether it has a deadline of its own.
    pub(super) fn is_timed(&self) -> bool {
        self.marks.has(Marks::TIMED)
    }

    /// What its own deadline had granted, if it has one of its own.
    pub(super) fn own_budget(&self) -> Option<Duration> {
        if self.is_timed() { self.budget() } else { None }
    }

    /// Leaves those above, as its last handle is gone. What its callbacks keep is dropped.
    #[inline]
    pub(super) fn leave(&self) {
        match self.end.kept() {
            Some(callbacks) => self.leave_with(callbacks),
            None => self.leave_those_above(),
        }
    }

    /// Few have callbacks.
    #[inline(never)]
    fn leave_with(&self, callbacks: &Callbacks) {
        // Before all that may panic: no link may outlive the node (`handle.rs`, invariant 4).
        callbacks.forget(self);
        self.leave_those_above();
        callbacks.clear();
    }

    #[inline]
    fn leave_those_above(&self) {
        if self.ends()
            && let Some(above) = self.ender_above()
        {
            above.below.leave();
        }
        self.tell_gone();
    }
}

/// The end of a new node below `above` whose own deadline has passed, or which is born ended: there from the start, since
/// later nobody could tell which of the two came first (3.1.4, 3.1.5).
#[cold]
fn born(above: Option<&Header>, own: Deadline) -> End<Arc<Callbacks>> {
    match above.and_then(Header::settle) {
        Some(moment) => End::ended(moment.inherited()),
        None if own.budget == 0 => End::ended(Moment::of_deadline(own.at)),
        None => End::new(),
    }
}
