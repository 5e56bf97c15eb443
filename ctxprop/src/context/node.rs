//! What a context is made of: a chain of nodes, each of which adds something to its parent, and what is found along it. What
//! all kinds have is `header.rs`, what one kind adds `part.rs`, who keeps a node `handle.rs`.
//!
//! # Invariants
//! 1. A context is one allocation, whatever it adds to its parent and however deep it is (3.1.11).
//! 2. Making or dropping one takes no lock and touches nothing of its parent's but its reference count and, where it can
//!    end by itself, the number of those below (3.1.13).

use std::any::Any;
use std::fmt;
use std::iter;

use super::handle::Node;
use super::header::{Additions, Header, Marks};
use super::part::{Part, Root, Value};
use super::tasks::Tasks;

impl Node {
    /// Of a context with no parent: nothing can end it.
    #[cfg_attr(feature = "observe", track_caller)]
    pub(super) fn root() -> Node {
        let place = Box::new_uninit();
        Node::new(place, Header::root(), Root::default())
    }

    /// Of a child with `part`, as [`Header::below`] says.
    #[inline(always)]
    #[cfg_attr(feature = "observe", track_caller)]
    pub(super) fn below<P: Part>(&self, add: Additions, part: P, value_type: u8) -> Node {
        let place = Box::new_uninit();
        Node::new(place, Header::below(self, add, value_type), part)
    }

    /// The value of the nearest node that has one of this type, the number of which is `value_type`. It goes up by the
    /// parents, five instructions each: a pointer to the nearest value would make each context a word larger.
    #[inline]
    pub(super) fn find_value<T: Send + Sync + 'static>(&self, value_type: u8) -> Option<&T> {
        let mut next = Some(self);
        while let Some(node) = next {
            if node.value_type == value_type
                && let Some(Value(found)) = node.part_as()
            {
                return Some(found);
            }
            next = node.links.parent();
        }
        None
    }

    /// What it adds, if that is a `P`.
    pub(super) fn part_as<P: Part>(&self) -> Option<&P> {
        let part: &dyn Any = self.part();
        part.downcast_ref()
    }

    /// The one at the end of the chain: each spawn asks for it, so it is gone to without asking those between.
    fn root_of(&self) -> &Node {
        let mut node = self;
        while let Some(parent) = node.links.parent() {
            node = parent;
        }
        node
    }

    /// This node, its parent, and so on to the root.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Node> {
        iter::successors(Some(self), |node| node.links.parent())
    }

    /// The nearest that can end by itself: this one, or one above whose end counts here.
    #[inline]
    pub(super) fn ending(&self) -> Option<&Node> {
        if self.ends() { Some(self) } else { self.links.ender() }
    }

    /// Whether it descends from a request that came in, or is one.
    pub(super) fn is_of_request(&self) -> bool {
        self.chain().any(|node| node.marks.has(Marks::REQUEST))
    }

    /// What ends a server: the outermost node that can end by itself, unless that is a request.
    pub(super) fn server(&self) -> Option<&Node> {
        let outermost = self.chain().filter(|node| node.ends()).last()?;
        if outermost.marks.has(Marks::REQUEST) { None } else { Some(outermost) }
    }

    /// The tasks under this node's root, once there has been one.
    pub(super) fn known_tasks(&self) -> Option<&Tasks> {
        self.root_of().part().tasks()?.get().map(|tasks| &**tasks)
    }

    /// The tasks under this node's root.
    pub(super) fn tasks(&self) -> Option<&Tasks> {
        let place = self.root_of().part().tasks()?;
        Some(place.get_or_init(|| Box::new(Tasks::new())))
    }

    /// Why it, or the nearest above that is, was detached.
    pub(super) fn detached_for(&self) -> Option<&'static str> {
        self.chain().find_map(|node| node.part().detached())
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
