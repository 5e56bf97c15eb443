//! Contexts and carriers: what a server makes of a request, and what a client writes into one.
//!
//! The headers themselves are read and written by the files beside this one; whom to believe is decided
//! above.

use super::{Formats, Incoming, Inject, Outgoing};
use crate::cause::{Cancelled, Cause};
use crate::context::canceller::Canceller;
use crate::context::deadline::Deadline;
use crate::context::header::Additions;
use crate::ctx::Ctx;
use crate::span::SpanContext;

impl Ctx {
    /// The context of a request that came in: a child with the caller's budget and baggage, in a new span
    /// below the caller's, or of a new trace. The canceller ends it.
    ///
    /// It is one allocation. What to take of the caller is decided before, in `incoming`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctxprop::wire::Incoming;
    /// use ctxprop::{Background, Ctx};
    /// use http::HeaderMap;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-timeout-ms", "250".parse()?);
    /// let (request, canceller) = Ctx::background().with_incoming(Incoming::from_headers(&headers));
    /// assert!(request.remaining() <= Some(Duration::from_millis(250)));
    /// assert!(request.span().is_valid());
    /// canceller.cancel();
    /// assert!(request.is_done());
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_incoming(&self, incoming: Incoming) -> (Ctx, Canceller) {
        let add = Additions {
            cancellable: true,
            deadline: incoming.budget.and_then(Deadline::after),
            request: true,
            ..Additions::default()
        };
        let span = incoming.span.map_or_else(SpanContext::root, SpanContext::into_child);
        let ctx = match incoming.baggage {
            none if none.is_nothing() => self.child(add, span),
            baggage => self.child(add, (span, baggage)),
        };
        let canceller = ctx.canceller();
        (ctx, canceller)
    }

    /// Writes this context into the headers of a request, or any other carrier: its span, or the
    /// [active](Ctx::active_span) one, its baggage and what remains of its budget, in place of whatever lines are there.
    /// For a span of its own, use [`child_span`](Ctx::child_span) first: a context without a trace writes none.
    ///
    /// `formats` says which headers. The baggage goes to whoever receives the request: a client that talks
    /// to strangers leaves it out with [`Formats::baggage`].
    ///
    /// # Errors
    ///
    /// [`Cancelled`] where the context has ended, or less than 1 ms remains: the request is not worth
    /// sending. Nothing has been written then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctxprop::wire::Formats;
    /// use ctxprop::{Background, Ctx};
    /// use http::HeaderMap;
    ///
    /// let ctx = Ctx::background().with_timeout(Duration::from_secs(5)).child_span();
    /// let mut headers = HeaderMap::new();
    /// ctx.inject(&mut headers, &Formats::new())?;
    /// assert!(headers.contains_key("traceparent") && headers.contains_key("x-timeout-ms"));
    /// # Ok::<(), ctxprop::Cancelled>(())
    /// ```
    pub fn inject(&self, carrier: &mut impl Inject, formats: &Formats) -> Result<(), Cancelled> {
        self.check()?;
        let span = self.active_span();
        let outgoing = Outgoing {
            span: &span,
            baggage: Some(self.baggage_map()).filter(|baggage| !baggage.is_empty()),
            remaining: self.remaining(),
        };
        let expired = |_| Cancelled::with_budget(Cause::DeadlineExceeded, self.budget());
        formats.inject(&outgoing, carrier).map_err(expired)
    }

    /// The same into a carrier of its own: the headers of a message, where it is sent.
    ///
    /// # Errors
    ///
    /// As [`inject`](Ctx::inject).
    ///
    /// # Examples
    ///
    /// A message of NATS, with the feature `nats`: out in one line, and in in one.
    ///
    /// ```
    /// # #[cfg(feature = "nats")] mod example {
    /// use ctxprop::wire::Formats;
    /// use ctxprop::{Background, Ctx, propagate};
    ///
    /// #[propagate]
    /// async fn paid(ctx: Ctx, nats: &async_nats::Client) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///     nats.publish_with_headers("orders.paid", ctx.child_span().injected(&Formats::queued())?, "7".into()).await?;
    ///     Ok(())
    /// }
    ///
    /// fn received(root: &Ctx, message: &async_nats::Message) -> Ctx {
    ///     let (ctx, _canceller) = root.with_incoming(Formats::queued().extract(&message.headers));
    ///     ctx
    /// }
    /// # }
    /// ```
    pub fn injected<C: Inject + Default>(&self, formats: &Formats) -> Result<C, Cancelled> {
        let mut carrier = C::default();
        self.inject(&mut carrier, formats)?;
        Ok(carrier)
    }
}
