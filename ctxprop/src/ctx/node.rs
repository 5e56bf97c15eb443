//! What a context is made of: a chain of nodes, each of which adds something to its parent.
//!
//! Cancellation lives inside a node but is understood by `cancel.rs`, values by `value.rs`.
//!
//! # Invariants
//! 1. A context is one allocation, whatever it adds to its parent and however deep it is (3.1.11).
//! 2. A context that only adds a value is a [`Valued`], which points past itself at the node that holds
//!    everything else; values form a chain of their own, so looking one up visits values only.
//! 3. Dropping the last handle of a chain of any depth needs bounded stack.

use std::cell::RefCell;
use std::ptr;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::baggage::BaggageMap;
use crate::cancel::{self, Cancel, State};
use crate::deadline::Deadline;
use crate::span::SpanContext;
use crate::value::{Value, Valued};

/// Where a [`Ctx`](crate::Ctx) points. Its two variants fit in two words: the thin pointer of one and
/// the vtable of the other share a place.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    Node(Arc<Node>),
    Value(Arc<Valued<dyn Value>>),
}

/// One context: what it adds to its parent, and what it needs at hand.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) parent: Option<Arc<Node>>,
    /// The value added last above this node.
    pub(crate) values: Option<Arc<Valued<dyn Value>>>,
    pub(crate) cancel: Cancel,
    /// The earlier of its own and its parent's (3.1.1).
    pub(crate) deadline: Option<Deadline>,
    pub(crate) detached: Option<&'static str>,
    pub(crate) span: Option<SpanContext>,
    pub(crate) baggage: Option<BaggageMap>,
    /// On a root only: all tasks that were spawned under it.
    pub(crate) tasks: Option<TaskTracker>,
    /// How many drops of this one and what it points at would nest.
    pub(crate) depth: u32,
}

/// What a new node adds to its parent.
#[derive(Default)]
pub(crate) struct Additions {
    /// Gives it a cancellation of its own, even where it has no deadline of its own.
    pub(crate) cancellable: bool,
    pub(crate) deadline: Option<Deadline>,
    /// Leaves the parent's deadline and cancellation behind, for this reason.
    pub(crate) detached: Option<&'static str>,
    pub(crate) span: Option<SpanContext>,
    pub(crate) baggage: Option<BaggageMap>,
}

impl Link {
    /// The node that holds everything but values.
    #[inline]
    pub(crate) fn node(&self) -> &Arc<Node> {
        match self {
            Link::Node(node) => node,
            Link::Value(valued) => &valued.node,
        }
    }

    /// The value added last.
    pub(crate) fn values(&self) -> Option<&Arc<Valued<dyn Value>>> {
        match self {
            Link::Node(node) => node.values.as_ref(),
            Link::Value(valued) => Some(valued),
        }
    }

    pub(crate) fn is(&self, other: &Link) -> bool {
        match (self, other) {
            (Link::Node(one), Link::Node(two)) => Arc::ptr_eq(one, two),
            (Link::Value(one), Link::Value(two)) => is(one, two),
            _ => false,
        }
    }

    /// Whether `value` is among those that are added here or further up.
    pub(crate) fn holds(&self, value: &Arc<Valued<dyn Value>>) -> bool {
        std::iter::successors(self.values(), |valued| valued.outer.as_ref())
            .any(|valued| is(valued, value))
    }

    pub(crate) fn depth(&self) -> u32 {
        match self {
            Link::Node(node) => node.depth,
            Link::Value(valued) => valued.depth,
        }
    }
}

/// By address: one type may have several vtables.
fn is(one: &Arc<Valued<dyn Value>>, two: &Arc<Valued<dyn Value>>) -> bool {
    ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(two))
}

impl Node {
    /// A context with no parent: nothing can end it.
    pub(crate) fn root() -> Arc<Node> {
        let tasks = TaskTracker::new();
        // A closed tracker still takes tasks; closed is what lets `wait` return whenever none is left.
        tasks.close();
        Arc::new(Node {
            parent: None,
            values: None,
            cancel: Cancel::Never,
            deadline: None,
            detached: None,
            span: None,
            baggage: None,
            tasks: Some(tasks),
            depth: 0,
        })
    }

    /// A child of the context at `link`. If its parent has ended it is born ended (3.1.4).
    pub(crate) fn child(link: &Link, add: Additions) -> Arc<Node> {
        let parent = link.node();
        let (inherited, above) = match add.detached {
            Some(_) => (None, None),
            None => (parent.deadline, cancel::owner(parent)),
        };
        let own = add.deadline.filter(|own| inherited.is_none_or(|outer| own.at < outer.at));
        let child = Arc::new(Node {
            parent: Some(Arc::clone(parent)),
            values: link.values().cloned(),
            cancel: match above {
                _ if add.cancellable || own.is_some() => Cancel::Own(State::new()),
                Some(owner) => Cancel::Shared(Arc::clone(owner)),
                None => Cancel::Never,
            },
            deadline: own.or(inherited),
            detached: add.detached,
            span: add.span,
            baggage: add.baggage,
            tasks: None,
            depth: link.depth().saturating_add(1),
        });
        if let Some(above) = above {
            cancel::adopt(above, &child);
        }
        // A deadline in the past, or now, ends it at once (3.1.5).
        if let Some(own) = own
            && own.budget.is_zero()
        {
            cancel::expire(&child, own.at);
        }
        child
    }

    /// The span of the nearest node that has one.
    pub(crate) fn span(&self) -> Option<&SpanContext> {
        self.chain().find_map(|node| node.span.as_ref())
    }

    /// The baggage of the nearest node that has some.
    pub(crate) fn baggage(&self) -> Option<&BaggageMap> {
        self.chain().find_map(|node| node.baggage.as_ref())
    }

    /// The tracker of all tasks under this node's root.
    pub(crate) fn tasks(&self) -> Option<&TaskTracker> {
        self.chain().find_map(|node| node.tasks.as_ref())
    }

    /// This node, its parent, and so on to the root.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(Some(self), |node| node.parent.as_deref())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        cancel::abandon(self);
        if self.depth > DIRECT_DROPS {
            drop_later(self.parent.take().map(Link::Node), self.values.take().map(Link::Value));
        }
    }
}

/// Chains up to this length are dropped by plain recursion.
pub(crate) const DIRECT_DROPS: u32 = 128;

thread_local! {
    /// What a drop of a deep chain on this thread still has to drop (invariant 3).
    static DROPPING: RefCell<Option<Vec<Link>>> = const { RefCell::new(None) };
}

/// Drops both from the outermost drop on this thread, one after the other instead of one inside the other.
pub(crate) fn drop_later(one: Option<Link>, two: Option<Link>) {
    let links = one.into_iter().chain(two);
    let outermost = DROPPING.try_with(|dropping| {
        let mut dropping = dropping.borrow_mut();
        let outermost = dropping.is_none();
        dropping.get_or_insert_default().extend(links);
        outermost
    });
    // Without thread-locals, as the thread ends, the links were dropped with the closure.
    if outermost == Ok(true) {
        let _rest = Rest;
        while let Ok(Some(link)) = DROPPING.try_with(|dropping| {
            let mut dropping = dropping.borrow_mut();
            let next = dropping.as_mut().and_then(Vec::pop);
            if next.is_none() {
                *dropping = None;
            }
            next
        }) {
            drop(link);
        }
    }
}

/// What is left where a value panics in its `Drop`: it is dropped by new outermost drops.
struct Rest;

impl Drop for Rest {
    fn drop(&mut self) {
        let rest = DROPPING.try_with(RefCell::take);
        drop(rest);
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;
    use crate::ctx::Ctx;

    /// What a request pays in memory, in bytes on 64 bits. A change here is a change for everybody.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn sizes() {
        assert_eq!(size_of::<Ctx>(), 16, "two words");
        assert_eq!(size_of::<Node>(), 392);
        assert_eq!(size_of::<crate::Scope<()>>(), 40, "over its future: mostly the timer");
        assert_eq!(size_of::<crate::run::leaf::Leaf<()>>(), 0, "over its future");
    }
}
