//! [`Ctx`]: the handle that code holds. Making one and looking at it; each other ability has its own file.

use std::task::Waker;

use super::handle::Node;
use super::header::{Additions, Header};
use super::part::Part;
use super::tasks::Tasks;
use crate::baggage::{Baggage, BaggageError};
use crate::end::Keys;
use crate::end::cause::{Cancelled, Cause};

/// A request context: how long the caller will wait, whether they are still there, who they are and where
/// in the trace we stand.
///
/// It is immutable and shared: cloning costs an increment, and every `with_…` method gives a
/// child. A child ends with its parent and never affects it. The rules are those of Go's `context` package: the
/// earlier deadline counts, and so does the first cause.
///
/// | to | use |
/// | --- | --- |
/// | derive a child | [`with_cancel`](Ctx::with_cancel), [`with_timeout`](Ctx::with_timeout), [`with_deadline`](Ctx::with_deadline), [`with_budget_share`](Ctx::with_budget_share), [`with_value`](Ctx::with_value), [`with_baggage`](Ctx::with_baggage), [`with_span`](Ctx::with_span), [`child_span`](Ctx::child_span), [`detach`](Ctx::detach), [`detach_until_shutdown`](Ctx::detach_until_shutdown), [`with_token`](Ctx::with_token) |
/// | observe it | [`is_done`](Ctx::is_done), [`cause`](Ctx::cause), [`check`](Ctx::check), [`remaining`](Ctx::remaining), [`done`](Ctx::done), [`on_done`](Ctx::on_done), [`cancellation_token`](Ctx::cancellation_token) |
/// | run code under it | [`scope`](Ctx::scope), [`run`](Ctx::run), [`spawn`](Ctx::spawn), [`spawn_blocking`](Ctx::spawn_blocking), [`shared`](Ctx::shared), [`shield`](Ctx::shield) |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use ctxprop::{Background, Cause, Ctx};
///
/// let (request, canceller) = Ctx::background().with_timeout(Duration::from_secs(5)).with_cancel();
/// let query = request.with_budget_share(0.5);
/// assert!(query.check().is_ok());
/// canceller.cancel();
/// assert_eq!(query.cause(), Some(Cause::Cancelled));
/// ```
#[derive(Clone)]
pub struct Ctx {
    node: Node,
}

/// Makes contexts without a parent.
///
/// It is a trait so that a root needs an import: a `#[propagate]` body refuses the call, since a new root
/// there would lose the caller's deadline, trace and baggage.
///
/// # Examples
///
/// ```
/// use ctxprop::{Background, Ctx};
///
/// let root = Ctx::background();
/// assert!(root.deadline().is_none() && !root.is_done());
/// ```
pub trait Background: Sized {
    /// A root: no deadline, no cancellation, no trace, no baggage. For `main`, tests and whatever starts
    /// work of its own.
    ///
    /// # Panics
    ///
    /// Inside a scope, where [`detached::deny`](crate::detached::deny) was called.
    #[doc(alias = "Background")]
    fn background() -> Self;

    /// The same, where a context is to be handed over but is not yet.
    ///
    /// # Panics
    ///
    /// As [`background`](Background::background).
    #[doc(alias = "TODO")]
    fn todo() -> Self;
}

impl Ctx {
    /// A root, whoever makes it: `detached.rs` has what asks whether that is right.
    #[cfg_attr(feature = "observe", track_caller)]
    pub(crate) fn root() -> Ctx {
        Ctx::of(Node::root()).told()
    }

    pub(super) fn of(node: Node) -> Ctx {
        Ctx { node }
    }

    #[inline]
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// A child with `part`, which ends as `add` says: what all the others, but values, are made by.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub(crate) fn child<P: Part>(&self, add: Additions, part: P) -> Ctx {
        Ctx::of(self.node.below(add, part, 0)).told()
    }

    // Here, and not beside the span: rustc names a method by its file where that is not the type's, and the bounds of
    // these two are in messages.

    /// A child whose baggage also has what `baggage` holds, in place of entries with the same keys.
    ///
    /// # Errors
    ///
    /// Where a key or value cannot be sent, or all together would pass W3C's limits of 64 entries and
    /// 8,192 bytes. The error names the key.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Baggage, Ctx};
    ///
    /// #[derive(Baggage, Debug, PartialEq)]
    /// struct Caller {
    ///     #[baggage(key = "user.id", max_len = 20)]
    ///     user_id: u64,
    /// }
    ///
    /// let ctx = Ctx::background().with_baggage(&Caller { user_id: 7 })?;
    /// assert_eq!(ctx.baggage::<Caller>()?, Caller { user_id: 7 });
    /// assert_eq!(ctx.baggage_map().get("user.id"), Some("7"));
    /// # Ok::<(), ctxprop::BaggageError>(())
    /// ```
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_baggage<B: Baggage>(&self, baggage: &B) -> Result<Ctx, BaggageError> {
        let mut builder = self.baggage_map().to_builder();
        baggage.to_baggage(&mut builder)?;
        Ok(self.child(Additions::default(), builder.build()))
    }

    /// Reads the baggage as a `B`. It is parsed at each call, so keep what it gives.
    ///
    /// # Errors
    ///
    /// Where an entry is missing, does not parse or is longer than its `max_len`. The error names the key, never
    /// the value.
    pub fn baggage<B: Baggage>(&self) -> Result<B, BaggageError> {
        B::from_baggage(self.baggage_map())
    }

    /// Whether this context has ended. Once true it stays true. It looks at the clock, so a deadline that nobody
    /// waits for has passed all the same.
    pub fn is_done(&self) -> bool {
        self.node.is_done()
    }

    /// Why this context ended, if it has. Where this is `Some`, [`is_done`](Ctx::is_done) is true and
    /// [`done`](Ctx::done) is ready.
    #[doc(alias = "Cause")]
    pub fn cause(&self) -> Option<Cause> {
        if self.is_done() { self.node.recorded_cause() } else { None }
    }

    /// `Ok` while this context lasts: for loops and blocking code, `ctx.check()?`.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] once it has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Cancelled, Cause, Ctx};
    ///
    /// fn checksum(ctx: &Ctx, pages: &[u64]) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for page in pages {
    ///         ctx.check()?;
    ///         sum ^= page;
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// let (ctx, canceller) = Ctx::background().with_cancel();
    /// assert_eq!(checksum(&ctx, &[1, 2]), Ok(3));
    /// canceller.cancel();
    /// assert_eq!(checksum(&ctx, &[1, 2]).unwrap_err().cause(), &Cause::Cancelled);
    /// ```
    #[doc(alias = "Err")]
    pub fn check(&self) -> Result<(), Cancelled> {
        match self.cause() {
            None => Ok(()),
            Some(cause) => Err(self.cancelled_by(cause)),
        }
    }

    /// How many live contexts that can end on their own hang directly below what ends this one: under a server's root,
    /// the requests in flight. None below a context that nothing can end.
    ///
    /// For metrics and tests: a count that is kept anyway.
    pub fn live_children(&self) -> usize {
        self.node.nearest_ender().map_or(0, Header::members)
    }

    /// What a leaf looks at.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        &self.node
    }

    /// Whether the end has been recorded, here or anywhere above: words, not the clock.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        self.node.ended()
    }

    /// Whether the deadline has passed, looking at the clock; if so, the end is recorded by now.
    #[inline]
    pub(crate) fn expire_if_due(&self) -> bool {
        self.node.expire_if_due()
    }

    /// What ends it: this one, or the nearest above that can end by itself. None where nothing can.
    pub(crate) fn ender(&self) -> Option<Ctx> {
        self.node.ending().cloned().map(Ctx::of)
    }

    /// Ends this context, which can end by itself, with `cause`, unless it has ended. When this returns, whoever waited
    /// for its end was told.
    pub(crate) fn end_with(&self, cause: &Cause) {
        self.node.end_with(cause);
    }

    /// If this context has ended, has all that wait for its end woken: when this returns, all were, also those that
    /// another thread is waking just now. False where that thread is still inside a call of one of the wakers. Costs next
    /// to nothing where nobody waits.
    ///
    /// # Panics
    ///
    /// Where a waker panics, once all were woken.
    pub(crate) fn tell(&self) -> bool {
        self.node.tell()
    }

    /// Has `waker` woken at the end, whatever brings it but the clock. `keys`, which are empty, say where it is left;
    /// [`unregister`](Ctx::unregister) takes it back. False, and nothing is registered, where the end was recorded.
    pub(crate) fn register(&self, waker: &Waker, keys: &mut Keys) -> bool {
        self.node.register(waker, keys)
    }

    /// Takes back what [`register`](Ctx::register) did for this context, and leaves `keys` empty.
    pub(crate) fn unregister(&self, keys: &mut Keys) {
        self.node.unregister(keys);
    }

    /// Whether whatever ends this context ends `other`, and the other way round: one registration, and one timer, serve
    /// both.
    #[inline]
    pub(crate) fn same_end(&self, other: &Ctx) -> bool {
        let end = |ctx: &Ctx| ctx.node.nearest_ender().map(std::ptr::from_ref);
        end(self) == end(other)
    }

    /// Whether both are handles of one context.
    pub(crate) fn is(&self, other: &Ctx) -> bool {
        std::ptr::addr_eq(&raw const *self.node, &raw const *other.node)
    }

    /// Whether this is a child of `other`, or a child's child, by whatever step: also one that was detached.
    pub(crate) fn descends_from(&self, other: &Ctx) -> bool {
        self.node
            .chain()
            .skip(1)
            .take_while(|above| above.depth() >= other.node.depth())
            .any(|above| above.is(&other.node))
    }

    /// The error that tells the end of this context, if it was recorded.
    pub(crate) fn recorded_end(&self) -> Option<Cancelled> {
        self.node.recorded_cause().map(|cause| self.cancelled_by(cause))
    }

    /// The error that tells the end of this context, which has come, with what its deadline had granted.
    pub(crate) fn cancelled(&self) -> Cancelled {
        self.cancelled_by(self.cause().unwrap_or(Cause::Cancelled))
    }

    /// What the deadline had granted when it was set.
    pub(crate) fn budget(&self) -> Option<std::time::Duration> {
        self.node.budget()
    }

    fn cancelled_by(&self, cause: Cause) -> Cancelled {
        Cancelled::with_budget(cause, self.budget())
    }

    /// Where the tasks under this context's root are tracked.
    pub(crate) fn tasks(&self) -> Option<&Tasks> {
        self.node.tasks()
    }

    /// The same, unless there has been none.
    pub(crate) fn known_tasks(&self) -> Option<&Tasks> {
        self.node.known_tasks()
    }

    /// Why it, or what it descends from, was detached.
    pub(crate) fn detached_for(&self) -> Option<&'static str> {
        self.node.detached_for()
    }
}

#[cfg(test)]
mod tests {
    /// What a request pays in memory, in bytes on 64 bits. A change here is a change for everybody.
    #[test]
    #[cfg(all(target_pointer_width = "64", not(feature = "observe")))]
    fn sizes() {
        use std::mem::size_of;

        use super::*;
        use crate::context::handle::Inner;
        use crate::{BaggageMap, SpanContext};

        assert_eq!(size_of::<Ctx>(), 8, "one word");
        assert_eq!(size_of::<Inner<()>>(), 104);
        assert_eq!(size_of::<Inner<(SpanContext, BaggageMap)>>(), 248);
    }
}
