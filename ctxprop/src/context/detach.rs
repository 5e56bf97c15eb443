//! Leaving the request behind: [`Ctx::detach`] and [`Ctx::detach_until_shutdown`].

use super::ctx::Ctx;
use super::header::{Additions, EndsWith};
use super::part::Detached;

impl Ctx {
    /// A child for work that outlives this context, which ends as `add` says.
    #[cfg_attr(feature = "observe", track_caller)]
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
    #[cfg_attr(feature = "observe", track_caller)]
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
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn detach_until_shutdown(&self, reason: &'static str) -> Ctx {
        let add = Additions { ends_with: EndsWith::Server, ..Additions::default() };
        self.child(add, Detached(reason))
    }

    /// For work that several share. Only above a request is there a server for sure: without one, the outermost context
    /// that can end may be that of whoever came first, whose end is nobody else's.
    pub(crate) fn detach_shared(&self, reason: &'static str) -> Ctx {
        if self.node().is_of_request() {
            self.detach_until_shutdown(reason)
        } else {
            self.detach(reason)
        }
    }
}
