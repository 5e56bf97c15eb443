//! Handles of nodes, and how nodes hold on to each other: each keeps its parent, and points past it at the nearest above
//! that have what is looked for.
//!
//! The one file of this floor with `unsafe`. Every leaf looks at a node, and every request makes and drops some. An
//! `Arc<dyn ..>` is two words, asks its vtable where the header is, and counts weak handles too: 100 instructions of a
//! child's 350. The way up is walked at each leaf, and a look-up must not grow with the depth, so a node points past its
//! parent: a counted pointer for each would make a child touch four counts that all requests share, where one will do.
//!
//! # Invariants
//! 1. A handle points at the header of a node of the kind that `Links::kind` says, by a pointer to all of it:
//!    [`Node::new`] alone makes them of anything but a handle.
//! 2. `Links::count` is how many handles there are; a node is freed in [`free`] alone, once that is zero, and it was counted
//!    down to that once. What a handle pointed at is shared until then.
//! 3. An [`Alias`] is a handle that is not counted. Those of a node are of itself, or of one that its `parent` keeps, or a
//!    parent further up; so is where `span` and `baggage` point. They are private, and are read through the node.
//! 4. A [`Link`] is in the `Callbacks` of the node that it leads to, under their lock, and [`free`] has it taken out before
//!    the node is touched as one's own.
//! 5. Dropping the last handle of a chain of any depth needs bounded stack, but for parts whose drop panics: then what is
//!    above is dropped in the unwinding, and nothing is lost.

use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::ops::Deref;
use std::process::abort;
use std::ptr::NonNull;

use super::header::{EndsWith, Header};
use super::part::Part;
use crate::baggage::BaggageMap;
use crate::span::SpanContext;
use crate::sync::{AtomicUsize, Ordering, fence};

/// One context: what every kind has, where handles point, and what this kind adds to its parent.
#[repr(C)]
pub(super) struct Inner<P> {
    header: Header,
    part: P,
}

/// Where a node will be.
pub(super) type Place<P> = Box<MaybeUninit<Inner<P>>>;

/// What a node's header does not tell of its own type.
struct Kind {
    part: unsafe fn(NonNull<Header>) -> NonNull<dyn Part>,
    free: unsafe fn(NonNull<Header>),
}

#[expect(unsafe_code, reason = "they are called with a node of this type")]
impl<P: Part> Inner<P> {
    const KIND: &'static Kind = &Kind { part: Self::part, free: Self::free };

    unsafe fn part(at: NonNull<Header>) -> NonNull<dyn Part> {
        // SAFETY: a live node of this type is there (invariant 1).
        unsafe { NonNull::from(&(*at.cast::<Inner<P>>().as_ptr()).part) }
    }

    unsafe fn free(at: NonNull<Header>) {
        // SAFETY: it came out of a box of this type (invariant 1), and nobody else has it (invariant 2).
        drop(unsafe { Box::from_raw(at.cast::<Inner<P>>().as_ptr()) });
    }
}

/// Keeps a node, and all above it. One word, which points at what every node has.
pub(crate) struct Node(NonNull<Header>);

/// Invariant 3.
type Alias = ManuallyDrop<Node>;

/// What of a header only this file touches.
pub(super) struct Links {
    count: AtomicUsize,
    kind: &'static Kind,
    /// Counted, and let go in [`free`].
    parent: Option<ManuallyDrop<Node>>,
    ender: Option<Alias>,
    span: Option<NonNull<SpanContext>>,
    baggage: Option<NonNull<BaggageMap>>,
}

// SAFETY: both are what they point at, shared, as an `Arc` is, and may be what frees it. That is a header and a part, which
// are `Send` and `Sync`: `shared` below has the compiler check all that is behind a pointer.
#[expect(unsafe_code, reason = "pointers are neither, whatever they point at")]
unsafe impl Send for Node {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "pointers are neither, whatever they point at")]
unsafe impl Sync for Node {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "pointers are neither, whatever they point at")]
unsafe impl Send for Links {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "pointers are neither, whatever they point at")]
unsafe impl Sync for Links {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "pointers are neither, whatever they point at")]
unsafe impl Send for Link {}

const _: () = {
    const fn shared<T: Send + Sync + ?Sized>() {}
    shared::<Header>();
    shared::<SpanContext>();
    shared::<BaggageMap>();
    shared::<dyn Part>();
};

impl Links {
    /// Those of a root.
    #[inline]
    pub(super) fn root() -> Links {
        Links {
            count: AtomicUsize::new(1),
            kind: Inner::<()>::KIND,
            parent: None,
            ender: None,
            span: None,
            baggage: None,
        }
    }

    /// Those of a child of `parent`.
    #[inline(always)]
    pub(super) fn below(parent: &Node, ends_with: EndsWith) -> Links {
        let ender = match ends_with {
            EndsWith::Parent => parent.ending(),
            EndsWith::Nothing => None,
            EndsWith::Server => parent.server(),
        };
        Links {
            ender: ender.map(Node::alias),
            span: parent.links.span,
            baggage: parent.links.baggage,
            parent: Some(ManuallyDrop::new(parent.clone())),
            ..Links::root()
        }
    }

    #[inline]
    pub(super) fn parent(&self) -> Option<&Node> {
        self.parent.as_deref()
    }

    /// The nearest above that can end by itself, of those whose end counts here.
    #[inline]
    pub(super) fn ender(&self) -> Option<&Node> {
        self.ender.as_deref()
    }

    /// Its own span, or the nearest above.
    #[inline]
    #[expect(unsafe_code, reason = "invariant 3")]
    pub(super) fn span(&self) -> Option<&SpanContext> {
        // SAFETY: it is of the node that is borrowed, or of one that it keeps.
        self.span.map(|span| unsafe { span.as_ref() })
    }

    /// Its own baggage, or the nearest above.
    #[inline]
    #[expect(unsafe_code, reason = "invariant 3")]
    pub(super) fn baggage(&self) -> Option<&BaggageMap> {
        // SAFETY: as in `span`.
        self.baggage.map(|baggage| unsafe { baggage.as_ref() })
    }
}

impl Node {
    /// Of a new node. The place is made first: header and part are then written to it, and not copied.
    #[inline(always)]
    #[expect(unsafe_code, reason = "invariants 1 and 3")]
    pub(super) fn new<P: Part>(place: Place<P>, header: Header, part: P) -> Node {
        let mut node = Box::write(place, Inner { header, part });
        node.header.links.kind = Inner::<P>::KIND;
        let at = Box::into_raw(node);
        // SAFETY: it is a box of one's own until it is returned; what is written is not what is borrowed.
        unsafe {
            let part = &(*at).part;
            if let Some(span) = part.span() {
                (*at).header.links.span = Some(NonNull::from(span));
            }
            if let Some(baggage) = part.baggage() {
                (*at).header.links.baggage = Some(NonNull::from(baggage));
            }
            Node(NonNull::new_unchecked(at.cast()))
        }
    }

    /// What this kind adds.
    #[inline]
    #[expect(unsafe_code, reason = "invariants 1 and 2")]
    pub(super) fn part(&self) -> &dyn Part {
        // SAFETY: it is a node of that kind, and lives as long as this handle.
        unsafe { (self.links.kind.part)(self.0).as_ref() }
    }

    /// How many handles there are: others may make and drop some meanwhile.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.links.count.load(Ordering::Relaxed)
    }

    /// Drops this handle; where it is the last one, it is given back.
    pub(super) fn unless_last(self) -> Option<Node> {
        let one_less = |count: usize| (count > 1).then_some(count - 1);
        // As `leaves` does.
        let left =
            self.links.count.fetch_update(Ordering::Release, Ordering::Relaxed, one_less).is_ok();
        if left {
            mem::forget(self);
            return None;
        }
        Some(self)
    }

    pub(super) fn is(&self, other: &Node) -> bool {
        self.0 == other.0
    }

    /// For a child of this one, or of one below (invariant 3).
    #[inline]
    fn alias(&self) -> Alias {
        ManuallyDrop::new(Node(self.0))
    }

    /// Counts one handle down; true where it was the last one.
    #[inline]
    fn leaves(&self) -> bool {
        // Release: whoever frees the node sees what was done through this handle.
        self.links.count.fetch_sub(1, Ordering::Release) == 1
    }
}

impl Deref for Node {
    type Target = Header;

    #[inline]
    #[expect(unsafe_code, reason = "invariant 2")]
    fn deref(&self) -> &Header {
        // SAFETY: it lives as long as this handle, and is shared.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Node {
    #[inline]
    fn clone(&self) -> Node {
        // Relaxed: this handle is what keeps the node meanwhile. The count must not come round: as many are never there,
        // but they may be forgotten.
        if self.links.count.fetch_add(1, Ordering::Relaxed) > isize::MAX as usize {
            abort();
        }
        Node(self.0)
    }
}

impl Drop for Node {
    #[inline]
    fn drop(&mut self) {
        if self.leaves() {
            free(self.0);
        }
    }
}

/// A node without handles: freed as this is dropped.
struct Last(NonNull<Header>);

impl Drop for Last {
    #[inline]
    #[expect(unsafe_code, reason = "invariants 1 and 2")]
    fn drop(&mut self) {
        // SAFETY: it is of that kind, and nobody else has it.
        unsafe { (self.0.as_ref().links.kind.free)(self.0) }
    }
}

/// Frees a node that has no handle, and each parent of which that was the last child (invariant 5).
#[inline(never)]
#[expect(unsafe_code, reason = "invariants 2 and 4")]
fn free(at: NonNull<Header>) {
    let mut at = at;
    loop {
        // Acquire: what was done through all the other handles.
        fence(Ordering::Acquire);
        // SAFETY: it is there until `last` is dropped, and a link reads its count alone.
        let parent = unsafe { (*at.as_ptr()).links.parent.take() }.map(ManuallyDrop::into_inner);
        let last = Last(at);
        // SAFETY: as above. What is further up is kept by `parent`.
        unsafe { at.as_ref() }.leave();
        drop(last);
        let Some(parent) = parent.map(ManuallyDrop::new).filter(|parent| parent.leaves()) else {
            return;
        };
        at = parent.0;
    }
}

/// Leads to a node, and does not keep it.
pub(super) struct Link(NonNull<Header>);

impl Link {
    /// For the callbacks of `node` (invariant 4).
    pub(super) fn to(node: &Node) -> Link {
        Link(node.0)
    }

    /// A handle, unless the last one is gone.
    #[expect(unsafe_code, reason = "invariant 4")]
    pub(super) fn node(&self) -> Option<Node> {
        // SAFETY: it is there as long as this is.
        let count = unsafe { &(*self.0.as_ptr()).links.count };
        let one_more = |count: usize| (count > 0).then_some(count + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Node(self.0))
    }
}

#[cfg(test)]
mod tests;
