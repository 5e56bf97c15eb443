//! What a context is made of: a chain of nodes, each of which adds something to its parent. How their ends count is
//! `ended.rs`.
//!
//! # Invariants
//! 1. A context is one allocation, whatever it adds to its parent and however deep it is (3.1.11).
//! 2. Making or dropping one takes no lock and touches nothing of its parent's but its reference count and, where it can
//!    end by itself, the number of those below (3.1.13).
//! 3. Dropping the last handle of a chain of any depth needs bounded stack.

use std::fmt;
use std::iter;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::callbacks::Callbacks;
use super::deadline::Deadline;
use super::lineage::{EndsWith, Lineage};
use super::part::{Part, Root};
use crate::baggage::BaggageMap;
use crate::end::record::{End, Moment};
use crate::span::SpanContext;
use crate::sync::{AtomicU32, Ordering};

/// One context: what every kind has, and what this kind adds to its parent.
pub(crate) struct Node<P: ?Sized = dyn Part> {
    pub(super) header: Header,
    pub(super) part: P,
}

/// What every kind of node has.
pub(crate) struct Header {
    lineage: Lineage,
    /// Of a value, the number of its type.
    value_type: u64,
    /// The earlier of its own and that of what ends it from above (3.1.1).
    pub(super) deadline: Option<Instant>,
    /// What was granted as that deadline was set, in nanoseconds.
    budget: u64,
    pub(super) end: End<Arc<Callbacks>>,
    /// How many live nodes that can end by themselves have this one as the nearest of its kind above.
    members: AtomicU32,
    /// How many nodes are above, up to what fits.
    depth: u16,
    marks: u8,
}

/// It can end by itself, before whatever is above.
const ENDS: u8 = 1;
/// It has a deadline of its own.
const TIMED: u8 = 2;
const SPAN: u8 = 4;
const BAGGAGE: u8 = 8;
const VALUE: u8 = 16;
/// It is the context of a request that came in.
const REQUEST: u8 = 32;

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

impl Node {
    /// A context with no parent: nothing can end it.
    pub(super) fn root() -> Arc<Node> {
        let header = Header {
            lineage: Lineage::default(),
            value_type: 0,
            deadline: None,
            budget: 0,
            end: End::new(),
            members: AtomicU32::new(0),
            depth: 0,
            marks: 0,
        };
        Arc::new(Node { header, part: Root::default() })
    }

    pub(super) fn parent(&self) -> Option<&Arc<Node>> {
        self.header.lineage.parent()
    }

    /// Its own span, or the nearest above.
    #[inline]
    pub(super) fn span(&self) -> Option<&SpanContext> {
        if self.header.marks & SPAN != 0 { self.part.span() } else { self.header.lineage.span() }
    }

    /// Its own baggage, or the nearest above.
    #[inline]
    pub(super) fn baggage(&self) -> Option<&BaggageMap> {
        let own = self.header.marks & BAGGAGE != 0;
        if own { self.part.baggage() } else { self.header.lineage.baggage() }
    }

    /// This node if it has a value, or the nearest above that has one.
    #[inline]
    pub(super) fn nearest_value(&self) -> Option<&Node> {
        if self.header.marks & VALUE != 0 { Some(self) } else { self.header.lineage.value() }
    }

    /// The nodes with values whose type has this number, the nearest first.
    #[inline]
    pub(super) fn values(&self, value_type: u64) -> impl Iterator<Item = &Node> {
        iter::successors(self.nearest_value(), |node| node.header.lineage.value())
            .filter(move |node| node.header.value_type == value_type)
    }

    /// This node, its parent, and so on to the root.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Node> {
        iter::successors(Some(self), |node| node.parent().map(|parent| &**parent))
    }

    /// The handle of the nearest ender: `self`, or one above whose end counts here.
    pub(super) fn ending(self: &Arc<Self>) -> Option<&Arc<Node>> {
        self.handle_of(self.header.nearest_ender()?)
    }

    /// The handle of the node with this header: `self`, or one above.
    pub(super) fn handle_of(self: &Arc<Self>, header: &Header) -> Option<&Arc<Node>> {
        iter::successors(Some(self), |node| node.parent())
            .find(|node| ptr::eq(&node.header, header))
    }

    /// What ends a server: the outermost node that can end by itself, unless that is a request.
    pub(super) fn server(&self) -> Option<&Header> {
        let outermost = self.chain().map(|node| &node.header).filter(|node| node.ends()).last()?;
        if outermost.marks & REQUEST != 0 { None } else { Some(outermost) }
    }

    /// The tracker of all tasks under this node's root, once there is one.
    pub(super) fn known_tasks(&self) -> Option<&TaskTracker> {
        self.chain().find_map(|node| node.part.tasks())?.get()
    }

    /// The tracker of all tasks under this node's root.
    pub(super) fn tasks(&self) -> Option<&TaskTracker> {
        let place = self.chain().find_map(|node| node.part.tasks())?;
        Some(place.get_or_init(|| {
            let tasks = TaskTracker::new();
            // A closed tracker still takes tasks; closed is what lets `wait` return whenever none is left.
            tasks.close();
            tasks
        }))
    }

    /// What `handle` points at, if nobody else can reach it.
    fn only_handle(handle: &mut Arc<Node>) -> Option<&mut Node> {
        // A look before the leap: it costs others nothing, while `get_mut` locks the counts of a parent that all share.
        if Arc::strong_count(handle) > 1 {
            return None;
        }
        // Nobody can make another handle, but for those whom its callbacks tell.
        if let Some(callbacks) = handle.header.end.kept() {
            callbacks.forget_node();
        }
        Arc::get_mut(handle)
    }
}

impl<P: Part> Node<P> {
    /// A child of `parent`. If that has ended it is born ended (3.1.4). `value_type` is the number of the type of the
    /// value that `part` is, if it is one.
    #[inline]
    pub(super) fn below(
        parent: &Arc<Node>,
        add: Additions,
        part: P,
        value_type: u64,
    ) -> Arc<Node<P>> {
        let mark = |has: bool, mark: u8| if has { mark } else { 0 };
        let marks = mark(part.span().is_some(), SPAN)
            | mark(part.baggage().is_some(), BAGGAGE)
            | mark(part.value().is_some(), VALUE);
        Arc::new(Node { header: Header::below(parent, add, marks, value_type), part })
    }
}

impl Header {
    /// That of a child of `parent`.
    fn below(parent: &Arc<Node>, add: Additions, marks: u8, value_type: u64) -> Header {
        let lineage = Lineage::below(parent, add.ends_with);
        let above = lineage.ender();
        let (outer, outer_budget) = above.map_or((None, 0), |above| (above.deadline, above.budget));
        let own = add.deadline.filter(|own| outer.is_none_or(|outer| own.at < outer));
        let mut marks = marks | if add.request { REQUEST } else { 0 };
        let (mut deadline, mut budget) = (outer, outer_budget);
        if let Some(own) = own {
            marks |= TIMED;
            deadline = Some(own.at);
            budget = own.nanos();
        }
        if add.cancellable || own.is_some() {
            marks |= ENDS;
            if let Some(above) = above {
                above.members.fetch_add(1, Ordering::Relaxed);
            }
        }
        let end = match own {
            None => End::new(),
            Some(own) => born(above, own),
        };
        Header {
            value_type,
            deadline,
            budget,
            end,
            members: AtomicU32::new(0),
            depth: parent.header.depth.saturating_add(1),
            marks,
            lineage,
        }
    }

    /// Whether it can end by itself.
    #[inline]
    pub(super) fn ends(&self) -> bool {
        self.marks & ENDS != 0
    }

    /// The nearest that can end by itself, of those above whose end counts here.
    #[inline]
    pub(super) fn ender_above(&self) -> Option<&Header> {
        self.lineage.ender()
    }

    /// The nearest that can end by itself: this one, or one above whose end counts here.
    #[inline]
    pub(super) fn nearest_ender(&self) -> Option<&Header> {
        if self.ends() { Some(self) } else { self.lineage.ender() }
    }

    /// What the deadline had granted when it was set, if there is one.
    pub(super) fn budget(&self) -> Option<Duration> {
        self.deadline.map(|_| Duration::from_nanos(self.budget))
    }

    pub(super) fn members(&self) -> usize {
        self.members.load(Ordering::Relaxed) as usize
    }

    pub(super) fn depth(&self) -> u16 {
        self.depth
    }

    /// What its own deadline had granted, if it has one of its own.
    pub(super) fn own_budget(&self) -> Option<Duration> {
        if self.marks & TIMED != 0 { self.budget() } else { None }
    }

    /// Leaves those above, as it is dropped, and gives its parent up.
    fn leave(&mut self) -> Option<Arc<Node>> {
        if self.ends()
            && let Some(above) = self.lineage.ender()
        {
            above.members.fetch_sub(1, Ordering::Relaxed);
            if let Some(callbacks) = self.end.kept() {
                callbacks.leave(self);
            }
        }
        self.lineage.take()
    }
}

/// The end of a new node below `above` with a deadline of its own. Where that has passed, or what is above has ended, it
/// is there from the start: later nobody could tell which of the two came first (3.1.4, 3.1.5).
fn born(above: Option<&Header>, own: Deadline) -> End<Arc<Callbacks>> {
    match above.and_then(Header::settle) {
        Some(moment) => End::ended(moment.inherited()),
        None if own.budget.is_zero() => End::ended(Moment::of_deadline(own.at)),
        None => End::new(),
    }
}

impl<P: ?Sized> Drop for Node<P> {
    fn drop(&mut self) {
        // Invariant 3: each parent of which this was the last child is taken out of its own child before that is dropped.
        let mut next = self.header.leave();
        while let Some(mut parent) = next {
            next = Node::only_handle(&mut parent).and_then(|parent| parent.header.leave());
        }
    }
}

/// The address alone: the chain is for [`Ctx`](crate::Ctx) to print, which tells nothing that is private.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}
