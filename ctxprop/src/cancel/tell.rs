//! Noting that all were told of an end (`cancel.rs`, invariant 4), once they were.
//!
//! Nodes are told from the bottom up, as code unwinds. Where two calls end parts of one tree, a node that one of them
//! ended may have others below it that the other call is still telling: it is told after those.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Wake, Waker};

use super::{Cancel, above, told, wait_until_told};
use crate::ctx::node::Node;

/// What one call walked, and which of it that call ended. Dropped, also when a waker panics, it tells those.
pub(super) struct Telling<'a> {
    pub(super) top: (&'a Arc<Node>, bool),
    /// Each after its parent.
    pub(super) below: &'a [(Arc<Node>, bool)],
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let below = || self.below.iter().map(|(node, struck)| (node, *struck));
        let all = || iter::once(self.top).chain(below());
        if below().all(|(node, struck)| struck || told(node)) {
            below()
                .rev()
                .chain([self.top])
                .filter(|(_, struck)| *struck)
                .for_each(|(node, _)| tell(node));
            return;
        }
        let mut later: HashMap<*const Node, Arc<Later>> = HashMap::new();
        for (node, struck) in all() {
            let above = above(node).and_then(|above| later.get(&Arc::as_ptr(above))).cloned();
            if struck {
                let node = Arc::clone(node);
                later.insert(Arc::as_ptr(&node), Arc::new(Later { node, above }));
            } else if let Some(above) = above {
                wait_until_told(node, &Waker::from(above));
            }
        }
    }
}

/// Tells a node as its last handle is dropped: those below have one, and so have the wakers left with what somebody else
/// tells.
struct Later {
    node: Arc<Node>,
    above: Option<Arc<Later>>,
}

impl Wake for Later {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Later {
    fn drop(&mut self) {
        tell(&self.node);
        // One after the other, not one inside the other: a chain may be long.
        let mut above = self.above.take();
        while let Some(mut next) = above.and_then(Arc::into_inner) {
            above = next.above.take();
        }
    }
}

/// Notes that all were told, and wakes who waited for that.
fn tell(node: &Node) {
    let Cancel::Own(state) = &node.cancel else { return };
    let mut links = state.lock();
    state.told.store(true, Ordering::Release);
    let late = links.wakers.take();
    drop(links);
    // They are dropped after all were woken: there may be a `Later` of a node above among them.
    late.iter().for_each(Waker::wake_by_ref);
}
