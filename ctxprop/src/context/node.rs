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

    /// What `f` gives for the nearest node with a value whose type has this number and for which it gives something.
    #[inline]
    pub(super) fn find_value<T>(
        &self,
        value_type: u64,
        f: impl Fn(&dyn Part) -> Option<&T>,
    ) -> Option<&T> {
        let mut next = self.nearest_value();
        while let Some(node) = next {
            if node.header.value_type == value_type
                && let Some(found) = f(&node.part)
            {
                return Some(found);
            }
            next = node.header.lineage.value();
        }
        None
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
    #[inline(always)]
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
    /// That of a child of `parent`. Inlined, since most of it depends on what is added, which is known where it is called.
    #[inline(always)]
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
            Some(own) if own.budget.is_zero() || above.is_some_and(Header::ended) => {
                born(above, own)
            }
            _ => End::new(),
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
    pub(crate) fn nearest_ender(&self) -> Option<&Header> {
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
    #[inline]
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

/// The end of a new node below `above` whose own deadline has passed, or which is born ended: there from the start, since
/// later nobody could tell which of the two came first (3.1.4, 3.1.5).
#[cold]
fn born(above: Option<&Header>, own: Deadline) -> End<Arc<Callbacks>> {
    match above.and_then(Header::settle) {
        Some(moment) => End::ended(moment.inherited()),
        None if own.budget.is_zero() => End::ended(Moment::of_deadline(own.at)),
        None => End::new(),
    }
}

impl<P: ?Sized> Drop for Node<P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(parent) = self.header.leave() {
            // A look before the leap: it costs others nothing, while `get_mut` locks the counts of a parent that all share.
            if Arc::strong_count(&parent) > 1 { drop(parent) } else { drop_chain(parent) }
        }
    }
}

/// Invariant 3: each parent of which this was the last child is taken out of its own child before that is dropped.
fn drop_chain(parent: Arc<Node>) {
    let mut next = Some(parent);
    while let Some(mut parent) = next {
        next = Node::only_handle(&mut parent).and_then(|parent| parent.header.leave());
    }
}

/// The address alone: the chain is for [`Ctx`](crate::Ctx) to print, which tells nothing that is private.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use crate::{Background, Ctx};

    /// Runs `f` in a thread whose stack holds some hundred frames, no more.
    fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
        let thread = thread::Builder::new().stack_size(128 * 1_024).spawn(f);
        thread.unwrap().join().unwrap();
    }

    fn chain(depth: usize, step: impl Fn(&Ctx) -> Ctx) -> Ctx {
        (0..depth).fold(Ctx::background(), |ctx, _| step(&ctx))
    }

    #[test]
    fn a_chain_of_a_million_is_dropped_without_recursion() {
        let ctx = chain(1_000_000, |ctx| ctx.with_value(1_u8));
        on_a_small_stack(move || drop(ctx));
    }

    // Fails where a node that is known elsewhere by a weak handle is not taken out of its child first.
    #[test]
    fn so_is_one_each_of_which_has_a_callback() {
        let ctx = chain(20_000, |ctx| {
            let child = ctx.detach("a test").with_cancel().0;
            child.on_done(|_| {});
            child
        });
        on_a_small_stack(move || drop(ctx));
    }

    #[test]
    fn what_else_holds_a_part_of_a_chain_keeps_that_part() {
        let value = Arc::new(());
        let low = chain(1_000, |ctx| ctx.with_value(Arc::clone(&value)));
        let high = (0..1_000).fold(low.clone(), |ctx, _| ctx.with_value(Arc::clone(&value)));
        on_a_small_stack(move || drop(high));
        assert_eq!(Arc::strong_count(&value), 1_001);
        assert!(low.value::<Arc<()>>().is_some());
        drop(low);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_deep_child_inherits_through_all_that_are_above() {
        let (top, canceller) = Ctx::background().with_cancel();
        let mut all = vec![top];
        for n in 0..3_000 {
            let next = all[n].with_cancel().0;
            all.push(next);
        }
        canceller.cancel_with(crate::Cause::Shutdown);
        assert_eq!(all[3_000].cause(), Some(crate::Cause::Shutdown));
        assert!(all.iter().all(|ctx| ctx.node().header.end.is_set()), "each has it by now");
    }
}
