//! [`Ctx`]: the handle that code holds. Making one and looking at it; each other ability has its own file.

use std::fmt;
use std::ptr;
use std::sync::Arc;

use crate::baggage::{Baggage, BaggageError, BaggageMap};
use crate::cancel;
use crate::cause::{Cancelled, Cause};
use crate::detached;
use crate::span::SpanContext;

pub(crate) mod node;

use node::{Additions, Link, Node};

/// A request context: how long the caller will wait, whether they are still there, who they are and where
/// in the trace we stand.
///
/// It is immutable and behind one `Arc`: cloning costs an increment, and every `with_…` method gives a
/// child. A child ends with its parent and never affects it. The rules are those of Go's `context` package: the
/// earlier deadline counts, and so does the first cause.
///
/// | to | use |
/// | --- | --- |
/// | derive a child | [`with_cancel`](Ctx::with_cancel), [`with_timeout`](Ctx::with_timeout), [`with_deadline`](Ctx::with_deadline), [`with_budget_share`](Ctx::with_budget_share), [`with_value`](Ctx::with_value), [`with_baggage`](Ctx::with_baggage), [`with_span`](Ctx::with_span), [`child_span`](Ctx::child_span), [`detach`](Ctx::detach) |
/// | observe it | [`is_done`](Ctx::is_done), [`cause`](Ctx::cause), [`check`](Ctx::check), [`remaining`](Ctx::remaining), [`done`](Ctx::done), [`on_done`](Ctx::on_done) |
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
    link: Link,
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
    fn background() -> Self;

    /// The same, where a context is to be handed over but is not yet.
    ///
    /// # Panics
    ///
    /// As [`background`](Background::background).
    fn todo() -> Self;
}

impl Background for Ctx {
    #[track_caller]
    fn background() -> Ctx {
        detached::made_a_root(std::panic::Location::caller());
        Ctx::from_link(Link::Node(Node::root()))
    }

    #[track_caller]
    fn todo() -> Ctx {
        detached::made_a_root(std::panic::Location::caller());
        Ctx::from_link(Link::Node(Node::root()))
    }
}

impl Ctx {
    pub(crate) fn from_link(link: Link) -> Ctx {
        Ctx { link }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    #[inline]
    pub(crate) fn node(&self) -> &Arc<Node> {
        self.link.node()
    }

    /// A child that adds what `add` holds.
    pub(crate) fn child(&self, add: Additions) -> Ctx {
        Ctx::from_link(Link::Node(Node::child(&self.link, add)))
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
    #[must_use = "contexts are immutable: the new one is the detached one"]
    pub fn detach(&self, reason: &'static str) -> Ctx {
        self.child(Additions { detached: Some(reason), ..Additions::default() })
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
        self.child(Additions { span: Some(span), ..Additions::default() })
    }

    /// The span this context is in; an invalid one where no trace has begun.
    pub fn span(&self) -> &SpanContext {
        static NONE: SpanContext = SpanContext::invalid();
        self.node().span().unwrap_or(&NONE)
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
        Ok(self.child(Additions { baggage: Some(builder.build()), ..Additions::default() }))
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
        self.node().baggage().unwrap_or(&NONE)
    }

    /// Whether this context has ended. Once true it stays true. It looks at the clock, so a deadline that nobody
    /// waits for has passed all the same.
    pub fn is_done(&self) -> bool {
        self.ended() || self.expire_if_due()
    }

    /// Why this context ended, if it has. Where this is `Some`, [`is_done`](Ctx::is_done) is true and
    /// [`done`](Ctx::done) is ready.
    pub fn cause(&self) -> Option<Cause> {
        if self.is_done() { cancel::cause(self.node()).cloned() } else { None }
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
    pub fn check(&self) -> Result<(), Cancelled> {
        match self.cause() {
            None => Ok(()),
            Some(cause) => Err(self.cancelled_by(cause)),
        }
    }

    /// How many contexts that can end on their own hang directly below what ends this one: under a server's
    /// root, the requests in flight. None below a context that nothing can end.
    ///
    /// For metrics and tests: it takes the lock that making and dropping children takes.
    pub fn live_children(&self) -> usize {
        cancel::children(self.node())
    }

    /// Whether the end has been recorded: a flag, not the clock. All that a leaf looks at.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        cancel::cause(self.node()).is_some()
    }

    /// Whether all that waited for the end were told of it.
    pub(crate) fn told(&self) -> bool {
        cancel::told(self.node())
    }

    /// Whether this is a child of `other`, or a child's child, by whatever step: also one that was detached.
    pub(crate) fn descends_from(&self, other: &Ctx) -> bool {
        let (node, value) = (other.node(), other.link().values());
        !self.link.is(&other.link)
            && self
                .node()
                .chain()
                .take_while(|above| above.depth >= node.depth)
                .any(|above| ptr::eq(above, &**node))
            && value.is_none_or(|value| self.link.holds(value))
    }

    /// Whether whatever ends this context ends `other`, and the other way round.
    #[inline]
    pub(crate) fn ends_with(&self, other: &Ctx) -> bool {
        match (cancel::owner(self.node()), cancel::owner(other.node())) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (None, None) => true,
            _ => false,
        }
    }

    /// The error that tells the end of this context, if it was recorded.
    pub(crate) fn recorded_end(&self) -> Option<Cancelled> {
        cancel::cause(self.node()).map(|cause| self.cancelled_by(cause.clone()))
    }

    /// What the deadline had granted when it was set.
    pub(crate) fn budget(&self) -> Option<std::time::Duration> {
        self.node().deadline.map(|deadline| deadline.budget)
    }

    fn cancelled_by(&self, cause: Cause) -> Cancelled {
        Cancelled::with_budget(cause, self.budget())
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
        out.field("chain", &Chain(&self.link));
        out.finish()
    }
}

struct Chain<'a>(&'a Link);

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        let mut values = self.0.values();
        for node in self.0.node().chain() {
            // The values that hang on this node were added after it.
            while let Some(valued) = values.filter(|valued| std::ptr::eq(&*valued.node, node)) {
                list.entry(&format_args!("value {valued:?}"));
                values = valued.outer.as_ref();
            }
            list.entry(&format_args!("{}", Added(node)));
        }
        list.finish()
    }
}

/// What one node added, in words.
struct Added<'a>(&'a Node);

impl fmt::Display for Added<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.0;
        if node.parent.is_none() {
            return f.write_str("root");
        }
        let mut words = Vec::new();
        if let Some(reason) = node.detached {
            words.push(format!("detached {reason:?}"));
        }
        let outer = node
            .parent
            .as_ref()
            .filter(|_| node.detached.is_none())
            .and_then(|parent| parent.deadline);
        if let Some(own) = node.deadline.filter(|own| outer.is_none_or(|outer| own.at < outer.at)) {
            words.push(format!("timeout {:?}", own.budget));
        }
        if let Some(span) = &node.span {
            words.push(format!("span {}", span.span_id()));
        }
        if node.baggage.is_some() {
            words.push("baggage".to_owned());
        }
        if words.is_empty() {
            words.push("cancel".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}
