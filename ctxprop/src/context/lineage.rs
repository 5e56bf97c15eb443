//! The way up from a node: its parent, and past it the nearest nodes above that have what is looked for.
//!
//! The one file of this floor with `unsafe`. The way up is walked by every leaf, and a look-up must not grow with the
//! depth, so a node points past its parent. A counted pointer for each would make a child touch four counts that all
//! requests share, where one will do.
//!
//! # Invariants
//! 1. Each pointer of a lineage points into the node that its `parent` holds, or into one that a lineage further up holds
//!    in the same way. [`Lineage::below`] alone sets them.
//! 2. The parent is given up in [`Lineage::take`] alone, which first forgets the pointers.
//! 3. While a lineage holds its parent nobody has that one mutably: it is in an `Arc` that has more than one handle, or
//!    whose only handle is here.

use std::ptr::NonNull;
use std::sync::Arc;

use super::node::{Header, Node};
use crate::baggage::BaggageMap;
use crate::span::SpanContext;

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

#[derive(Default)]
pub(crate) struct Lineage {
    parent: Option<Arc<Node>>,
    ender: Option<NonNull<Header>>,
    span: Option<NonNull<SpanContext>>,
    baggage: Option<NonNull<BaggageMap>>,
    value: Option<NonNull<Node>>,
}

// SAFETY: a lineage is what it points at, shared: an `Arc` and references that live as long. They are of types that are
// `Send` and `Sync`, which `shared` below has the compiler check.
#[expect(unsafe_code, reason = "pointers are neither, whatever they point at")]
unsafe impl Send for Lineage {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "pointers are neither, whatever they point at")]
unsafe impl Sync for Lineage {}

const _: () = {
    const fn shared<T: Send + Sync + ?Sized>() {}
    shared::<Header>();
    shared::<SpanContext>();
    shared::<BaggageMap>();
    shared::<super::part::Any>();
};

impl Lineage {
    /// That of a child of `parent`.
    #[inline(always)]
    pub(super) fn below(parent: &Arc<Node>, ends_with: EndsWith) -> Lineage {
        let ender = match ends_with {
            EndsWith::Parent => parent.header.nearest_ender(),
            EndsWith::Nothing => None,
            EndsWith::Server => parent.server(),
        };
        Lineage {
            ender: ender.map(NonNull::from),
            span: parent.span().map(NonNull::from),
            baggage: parent.baggage().map(NonNull::from),
            value: parent.nearest_value().map(NonNull::from),
            parent: Some(Arc::clone(parent)),
        }
    }

    pub(super) fn parent(&self) -> Option<&Arc<Node>> {
        self.parent.as_ref()
    }

    /// The nearest above that can end by itself, of those whose end counts here.
    #[inline]
    #[expect(unsafe_code, reason = "invariants 1 to 3")]
    pub(super) fn ender(&self) -> Option<&Header> {
        // SAFETY: it points into what `parent`, which is borrowed with `self`, keeps alive and shared (invariants 1 to 3).
        self.ender.map(|ender| unsafe { ender.as_ref() })
    }

    /// The nearest span above.
    #[inline]
    #[expect(unsafe_code, reason = "invariants 1 to 3")]
    pub(super) fn span(&self) -> Option<&SpanContext> {
        // SAFETY: as in `ender`.
        self.span.map(|span| unsafe { span.as_ref() })
    }

    /// The nearest baggage above.
    #[inline]
    #[expect(unsafe_code, reason = "invariants 1 to 3")]
    pub(super) fn baggage(&self) -> Option<&BaggageMap> {
        // SAFETY: as in `ender`.
        self.baggage.map(|baggage| unsafe { baggage.as_ref() })
    }

    /// The nearest node above that has a value.
    #[inline]
    #[expect(unsafe_code, reason = "invariants 1 to 3")]
    pub(super) fn value(&self) -> Option<&Node> {
        // SAFETY: as in `ender`.
        self.value.map(|node| unsafe { node.as_ref() })
    }

    /// Gives the parent up, as its node is dropped.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Arc<Node>> {
        let Lineage { parent, .. } = std::mem::take(self);
        parent
    }
}
