//! [`Canceller`]: what ends a context, from outside. How the end counts below is `ended.rs`.

use std::fmt;

use super::ctx::Ctx;
use super::handle::Node;
use super::header::Additions;
use crate::end::cause::Cause;

/// Ends a context: the other half of [`Ctx::with_cancel`]. Clones end the same context.
///
/// Dropping it ends nothing; [`drop_guard`](Canceller::drop_guard) makes one that does.
///
/// # Examples
///
/// ```
/// use ctxprop::{Background, Cause, Ctx};
///
/// let (ctx, canceller) = Ctx::background().with_cancel();
/// let child = ctx.with_value("a child ends with its parent");
/// canceller.cancel();
/// canceller.cancel_with(Cause::Shutdown); // too late: the first cause stays
/// assert_eq!(child.cause(), Some(Cause::Cancelled));
/// ```
#[derive(Clone)]
pub struct Canceller {
    node: Node,
}

/// Says that it is one, and whether the end has come: the context it ends may be deep, and hold what is private.
impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller")
            .field("cause", &self.node.recorded_cause())
            .finish_non_exhaustive()
    }
}

impl Canceller {
    /// Ends the context with [`Cause::Cancelled`]. When it returns, every descendant
    /// [`is_done`](Ctx::is_done). A second call does nothing.
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn cancel(&self) {
        self.node.tell_cancelled();
        self.node.end_with(&Cause::Cancelled);
    }

    /// Ends the context with `cause`: a [`Cause`], or any error, which becomes [`Cause::Custom`]. Else as
    /// [`cancel`](Canceller::cancel).
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn cancel_with(&self, cause: impl Into<Cause>) {
        self.node.tell_cancelled();
        self.node.end_with(&cause.into());
    }

    /// Whether the context has ended, by this or by whatever else ends it: see [`Ctx::is_done`].
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (server, shutdown) = Ctx::background().with_cancel();
    /// let (_request, canceller) = server.with_cancel();
    /// assert!(!canceller.is_cancelled());
    /// shutdown.cancel();
    /// assert!(canceller.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.node.is_done()
    }

    /// Whether anybody could see this end: not where all that is left of the context is this canceller and one `Ctx`, which
    /// the caller has. For those who end each request's context, of which nothing is left but that in most.
    ///
    /// Whoever waits or has a child has another handle, and callbacks are kept; so no other can be made meanwhile.
    #[doc(hidden)]
    #[inline]
    pub fn is_seen(&self) -> bool {
        self.node.count() > 2 || self.node.end.kept().is_some()
    }

    /// A guard that cancels when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (ctx, canceller) = Ctx::background().with_cancel();
    /// let guard = canceller.drop_guard();
    /// assert!(!ctx.is_done());
    /// drop(guard);
    /// assert!(ctx.is_done());
    /// ```
    #[must_use = "a guard that is not held cancels at once"]
    pub fn drop_guard(self) -> CancelGuard {
        CancelGuard { canceller: self, armed: true }
    }
}

/// Cancels when dropped: see [`Canceller::drop_guard`].
#[derive(Debug)]
#[must_use = "a guard that is not held cancels at once"]
pub struct CancelGuard {
    canceller: Canceller,
    armed: bool,
}

impl CancelGuard {
    /// Gives the canceller back; dropping the guard ends nothing any more.
    pub fn disarm(mut self) -> Canceller {
        self.armed = false;
        self.canceller.clone()
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if self.armed {
            self.canceller.cancel();
        }
    }
}

impl Ctx {
    /// A child that can be ended on its own, and what ends it.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (request, _canceller) = Ctx::background().with_cancel();
    /// let (search, stop) = request.with_cancel();
    /// stop.cancel();
    /// assert!(search.is_done() && !request.is_done());
    /// ```
    #[doc(alias = "WithCancel")]
    #[doc(alias = "WithCancelCause")]
    #[must_use = "contexts are immutable: the cancellation is the new one's"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_cancel(&self) -> (Ctx, Canceller) {
        let ctx = self.child(Additions { cancellable: true, ..Additions::default() }, ());
        let canceller = ctx.canceller();
        (ctx, canceller)
    }

    /// What ends this context, which was made cancellable.
    pub(crate) fn canceller(&self) -> Canceller {
        Canceller { node: self.node().clone() }
    }
}
