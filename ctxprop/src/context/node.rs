//! What a context is made of: a chain of nodes, each of which adds something to its parent. What all kinds have is
//! `header.rs`, what one kind adds `part.rs`.
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

use super::header::{Additions, Header, Marks};
use super::part::{Part, Root};
use super::tasks::Tasks;
use crate::baggage::BaggageMap;
use crate::span::SpanContext;

/// One context: what every kind has, and what this kind adds to its parent.
pub(crate) struct Node<P: ?Sized = dyn Part> {
    pub(super) header: Header,
    pub(super) part: P,
}

impl Node {
    /// A context with no parent: nothing can end it.
    #[cfg_attr(feature = "observe", track_caller)]
    pub(super) fn root() -> Arc<Node> {
        Arc::new(Node { header: Header::root(), part: Root::default() })
    }

    pub(super) fn parent(&self) -> Option<&Arc<Node>> {
        self.header.lineage.parent()
    }

    /// Its own span, or the nearest above.
    #[inline]
    pub(super) fn span(&self) -> Option<&SpanContext> {
        if self.header.marks.has(Marks::SPAN) {
            self.part.span()
        } else {
            self.header.lineage.span()
        }
    }

    /// Its own baggage, or the nearest above.
    #[inline]
    pub(super) fn baggage(&self) -> Option<&BaggageMap> {
        if self.header.marks.has(Marks::BAGGAGE) {
            self.part.baggage()
        } else {
            self.header.lineage.baggage()
        }
    }

    /// This node if it has a value, or the nearest above that has one.
    #[inline]
    pub(super) fn nearest_value(&self) -> Option<&Node> {
        if self.header.marks.has(Marks::VALUE) { Some(self) } else { self.header.lineage.value() }
    }

    /// What `f` gives for the nearest node with a value whose type has this number and for which it gives something.
    #[inline]
    pub(super) fn find_value<T>(
        &self,
        value_type: u8,
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

    /// The one at the end of the chain: each spawn asks for it, so it is gone to without asking those between.
    fn root_of(&self) -> &Node {
        let mut node = self;
        while let Some(parent) = node.parent() {
            node = parent;
        }
        node
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

    /// Whether it descends from a request that came in, or is one.
    pub(super) fn is_of_request(&self) -> bool {
        self.chain().any(|node| node.header.marks.has(Marks::REQUEST))
    }

    /// What ends a server: the outermost node that can end by itself, unless that is a request.
    pub(super) fn server(&self) -> Option<&Header> {
        let outermost = self.chain().map(|node| &node.header).filter(|node| node.ends()).last()?;
        if outermost.marks.has(Marks::REQUEST) { None } else { Some(outermost) }
    }

    /// The tasks under this node's root, once there has been one.
    pub(super) fn known_tasks(&self) -> Option<&Tasks> {
        self.root_of().part.tasks()?.get().map(|tasks| &**tasks)
    }

    /// The tasks under this node's root.
    pub(super) fn tasks(&self) -> Option<&Tasks> {
        let place = self.root_of().part.tasks()?;
        Some(place.get_or_init(|| Box::new(Tasks::new())))
    }

    /// Why it, or the nearest above that is, was detached.
    pub(super) fn detached_for(&self) -> Option<&'static str> {
        self.chain().find_map(|node| node.part.detached())
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
    #[cfg_attr(feature = "observe", track_caller)]
    pub(super) fn below(
        parent: &Arc<Node>,
        add: Additions,
        part: P,
        value_type: u8,
    ) -> Arc<Node<P>> {
        let marks = Marks::default()
            .and(Marks::SPAN, part.span().is_some())
            .and(Marks::BAGGAGE, part.baggage().is_some())
            .and(Marks::VALUE, part.value().is_some());
        Arc::new(Node { header: Header::below(parent, add, marks, value_type), part })
    }
}

impl<P: ?Sized> Drop for Node<P> {
    #[inline]
    fn drop(&mut self) {
        self.header.tell_gone();
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
mod tests;
