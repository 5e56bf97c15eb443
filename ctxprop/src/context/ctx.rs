//! [`Ctx`]: the handle that code holds. Making one and looking at it; each other ability has its own file.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use tokio_util::task::TaskTracker;

use super::lineage::EndsWith;
use super::node::{Additions, Header, Node};
use super::part::{Detached, Part};
use crate::baggage::{Baggage, BaggageError, BaggageMap};
use crate::detached;
use crate::end::Keys;
use crate::end::cause::{Cancelled, Cause};
use crate::span::SpanContext;

/// A request context: how long the caller will wait, whether they are still there, who they are and where
/// in the trace we stand.
///
/// It is immutable and behind one `Arc`: cloning costs an increment, and every `with_…` method gives a
/// child. A child ends with its parent and never affects it. The rules are those of Go's `context` package: the
/// earlier deadline counts, and so does the first cause.
///
/// | to | use |
/// | --- | --- |
/// | derive a child | [`with_cancel`](Ctx::with_cancel), [`with_timeout`](Ctx::with_timeout), [`with_deadline`](Ctx::with_deadline), [`with_budget_share`](Ctx::with_budget_share), [`with_value`](Ctx::with_value), [`with_baggage`](Ctx::with_baggage), [`with_span`](Ctx::with_span), [`child_span`](Ctx::child_span), [`detach`](Ctx::detach), [`detach_until_shutdown`](Ctx::detach_until_shutdown), [`with_token`](Ctx::with_token) |
/// | observe it | [`is_done`](Ctx::is_done), [`cause`](Ctx::cause), [`check`](Ctx::check), [`remaining`](Ctx::remaining), [`done`](Ctx::done), [`on_done`](Ctx::on_done), [`cancellation_token`](Ctx::cancellation_token) |
/// | run code under it | [`scope`](Ctx::scope), [`run`](Ctx::run), [`spawn`](Ctx::spawn), [`spawn_blocking`](Ctx::spawn_blocking), [`shield`](Ctx::shield) |
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
    node: Arc<Node>,
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
    /// Inside a scope, where [`detached::deny`] was called.
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

impl Background for Ctx {
    #[track_caller]
    fn background() -> Ctx {
        detached::made_a_root(std::panic::Location::caller());
        Ctx::of(Node::root())
    }

    #[track_caller]
    fn todo() -> Ctx {
        detached::made_a_root(std::panic::Location::caller());
        Ctx::of(Node::root())
    }
}

impl Ctx {
    pub(super) fn of(node: Arc<Node>) -> Ctx {
        Ctx { node }
    }

    #[inline]
    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// A child with `part`, which ends as `add` says: what all the others, but values, are made by.
    #[inline]
    pub(crate) fn child<P: Part>(&self, add: Additions, part: P) -> Ctx {
        Ctx::of(Node::below(&self.node, add, part, 0))
    }

    /// The same, for work that outlives this context.
    pub(crate) fn detached_child(&self, add: Additions, reason: &'static str) -> Ctx {
        self.child(Additions { ends_with: EndsWith::Nothing, ..add }, Detached(reason))
    }

    /// A context that keeps the values, the span and the baggage, and leaves deadline and cancellation
    /// behind: for work that must outlive the request. `reason` is for whoever reads the code, and for
    /// `Debug`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (request, canceller) = Ctx::background().with_cancel();
    /// let audit = request.detach("the audit log is written whatever happens").with_timeout(Duration::from_secs(30));
    /// canceller.cancel();
    /// assert!(request.is_done() && !audit.is_done());
    /// ```
    #[doc(alias = "WithoutCancel")]
    #[must_use = "contexts are immutable: the new one is the detached one"]
    pub fn detach(&self, reason: &'static str) -> Ctx {
        self.detached_child(Additions::default(), reason)
    }

    /// As [`detach`](Ctx::detach), but it ends with the server: for what outlives the request and not the process, such as
    /// a WebSocket session or work that several requests share.
    ///
    /// It ends when the outermost context above does that can end at all, and not later than that one's deadline: under a
    /// server's root, when that is cancelled at shutdown. A request's own context, which
    /// [`with_incoming`](Ctx::with_incoming) makes, is none of these, nor is anything below it: where nothing further out
    /// can end, it is as `detach`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::wire::Incoming;
    /// use ctxprop::{Background, Cause, Ctx};
    /// use http::HeaderMap;
    ///
    /// let (server, shutdown) = Ctx::background().with_cancel();
    /// let (request, finish) = server.with_incoming(Incoming::from_headers(&HeaderMap::new()));
    /// let session = request.detach_until_shutdown("the socket stays open");
    /// finish.cancel_with(Cause::Finished);
    /// assert!(!session.is_done() && session.span() == request.span());
    /// shutdown.cancel_with(Cause::Shutdown);
    /// assert_eq!(session.cause(), Some(Cause::Shutdown));
    /// ```
    #[must_use = "contexts are immutable: the new one is the detached one"]
    pub fn detach_until_shutdown(&self, reason: &'static str) -> Ctx {
        let add = Additions { ends_with: EndsWith::Server, ..Additions::default() };
        self.child(add, Detached(reason))
    }

    /// A child in the span `span`: one that a tracing system made, or that came from elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx, SpanContext};
    ///
    /// let span = SpanContext::root();
    /// let ctx = Ctx::background().with_span(span.clone());
    /// assert_eq!(ctx.span(), &span);
    /// ```
    #[must_use = "contexts are immutable: the span is the new one's"]
    pub fn with_span(&self, span: SpanContext) -> Ctx {
        self.child(Additions::default(), span)
    }

    /// The span this context is in; an invalid one where no trace has begun.
    pub fn span(&self) -> &SpanContext {
        static NONE: SpanContext = SpanContext::invalid();
        self.node.span().unwrap_or(&NONE)
    }

    /// A child in a new span of the same trace. Without a trace a new one begins, sampled and with the random
    /// flag (Trace Context Level 2).
    ///
    /// It is an id and records nothing. `#[propagate(span)]` makes a `tracing` span with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let request = Ctx::background().child_span();
    /// let query = request.child_span();
    /// assert_eq!(query.span().trace_id(), request.span().trace_id());
    /// assert_eq!(query.span().parent_id(), Some(request.span().span_id()));
    /// ```
    #[must_use = "contexts are immutable: the span is the new one's"]
    pub fn child_span(&self) -> Ctx {
        self.with_span(self.span().child())
    }

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

    /// All baggage, untyped; empty where there is none.
    pub fn baggage_map(&self) -> &BaggageMap {
        static NONE: BaggageMap = BaggageMap::empty();
        self.node.baggage().unwrap_or(&NONE)
    }

    /// Whether this context has ended. Once true it stays true. It looks at the clock, so a deadline that nobody
    /// waits for has passed all the same.
    pub fn is_done(&self) -> bool {
        self.node.header.is_done()
    }

    /// Why this context ended, if it has. Where this is `Some`, [`is_done`](Ctx::is_done) is true and
    /// [`done`](Ctx::done) is ready.
    #[doc(alias = "Cause")]
    pub fn cause(&self) -> Option<Cause> {
        if self.is_done() { self.node.header.recorded_cause() } else { None }
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
        self.node.header.nearest_ender().map_or(0, Header::members)
    }

    /// What a leaf looks at.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        &self.node.header
    }

    /// Whether the end has been recorded, here or anywhere above: words, not the clock.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        self.node.header.ended()
    }

    /// Whether the deadline has passed, looking at the clock; if so, the end is recorded by now.
    #[inline]
    pub(crate) fn expire_if_due(&self) -> bool {
        self.node.header.expire_if_due()
    }

    /// Whether anything can end it.
    pub(crate) fn can_end(&self) -> bool {
        self.node.header.nearest_ender().is_some()
    }

    /// Ends this context, which can end by itself, with `cause`, unless it has ended. When this returns, whoever waited
    /// for its end was told.
    pub(crate) fn end_with(&self, cause: &Cause) {
        self.node.header.end_with(cause);
    }

    /// If this context has ended, has all that wait for its end woken: when this returns, all were, also those that
    /// another thread is waking just now. Costs next to nothing where nobody waits.
    ///
    /// # Panics
    ///
    /// Where a waker panics, once all were woken.
    pub(crate) fn tell(&self) {
        self.node.header.tell();
    }

    /// Has `waker` woken at the end, whatever brings it but the clock. `keys`, which are empty, say where it is left;
    /// [`unregister`](Ctx::unregister) takes it back. False, and nothing is registered, where the end was recorded.
    pub(crate) fn register(&self, waker: &Waker, keys: &mut Keys) -> bool {
        self.node.header.register(waker, keys)
    }

    /// Takes back what [`register`](Ctx::register) did for this context, and leaves `keys` empty.
    pub(crate) fn unregister(&self, keys: &mut Keys) {
        self.node.header.unregister(keys);
    }

    /// Whether whatever ends this context ends `other`, and the other way round: one registration, and one timer, serve
    /// both.
    #[inline]
    pub(crate) fn same_end(&self, other: &Ctx) -> bool {
        let end = |ctx: &Ctx| ctx.node.header.nearest_ender().map(std::ptr::from_ref);
        end(self) == end(other)
    }
    /// Whether this is a child of `other`, or a child's child, by whatever step: also one that was detached.
    pub(crate) fn descends_from(&self, other: &Ctx) -> bool {
        let other = &*other.node;
        self.node
            .chain()
            .skip(1)
            .take_while(|above| above.header.depth() >= other.header.depth())
            .any(|above| std::ptr::addr_eq(above, other))
    }

    /// The error that tells the end of this context, if it was recorded.
    pub(crate) fn recorded_end(&self) -> Option<Cancelled> {
        self.node.header.recorded_cause().map(|cause| self.cancelled_by(cause))
    }

    /// The error that tells the end of this context, which has come, with what its deadline had granted.
    pub(crate) fn cancelled(&self) -> Cancelled {
        self.cancelled_by(self.cause().unwrap_or(Cause::Cancelled))
    }

    /// What the deadline had granted when it was set.
    pub(crate) fn budget(&self) -> Option<std::time::Duration> {
        self.node.header.budget()
    }

    fn cancelled_by(&self, cause: Cause) -> Cancelled {
        Cancelled::with_budget(cause, self.budget())
    }

    /// Where the tasks under this context's root are tracked.
    pub(crate) fn tasks(&self) -> Option<&TaskTracker> {
        self.node.tasks()
    }

    /// The same, unless there has been none.
    pub(crate) fn known_tasks(&self) -> Option<&TaskTracker> {
        self.node.known_tasks()
    }
}

/// The chain of contexts from this one to its root, each with what it added. Values are told by their
/// type, private baggage by its key.
impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Ctx");
        match self.cause() {
            Some(cause) => out.field("ended", &cause),
            None => out.field("remaining", &self.remaining()),
        };
        out.field("span", self.span());
        out.field("baggage", self.baggage_map());
        out.field("chain", &Chain(&self.node));
        out.finish()
    }
}

struct Chain<'a>(&'a Node);

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.chain().map(Added)).finish()
    }
}

/// What one node added, in words.
struct Added<'a>(&'a Node);

impl fmt::Debug for Added<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Node { header, part } = self.0;
        if self.0.parent().is_none() {
            return f.write_str("root");
        }
        if let Some(value) = part.value_type() {
            return write!(f, "value {value}");
        }
        let mut words = Vec::new();
        if let Some(reason) = part.detached() {
            words.push(format!("detached {reason:?}"));
        }
        if let Some(budget) = header.own_budget() {
            words.push(format!("timeout {budget:?}"));
        }
        if let Some(span) = part.span() {
            words.push(format!("span {}", span.span_id()));
        }
        if part.baggage().is_some() {
            words.push("baggage".to_owned());
        }
        if words.is_empty() {
            words.push("cancel".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;

    /// What a request pays in memory, in bytes on 64 bits. A change here is a change for everybody.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn sizes() {
        assert_eq!(size_of::<Ctx>(), 16, "two words");
        assert_eq!(size_of::<Node<()>>(), 120);
        assert_eq!(size_of::<Node<(SpanContext, BaggageMap)>>(), 224);
    }
}
