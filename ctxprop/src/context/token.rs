//! The bridge to `CancellationToken` of tokio-util, which libraries pass around, both ways. No task is needed for either: a
//! context waits for a token with a waker of its own, and a token is cancelled by the waker that hears of the end.
//!
//! # Invariants
//! 1. A node keeps its wait for a token, and the waker of that wait nothing of the node but its `Callbacks`, which forget
//!    it: whichever goes first, nothing is left of the other.
//! 2. No lock of ours is held where a token is made, cloned, cancelled or dropped: tokens lock, and up to tokio-util 0.7.19 they
//!    wake others under their locks.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::coop::unconstrained;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::callbacks::Callbacks;
use super::ctx::Ctx;
use super::header::Additions;
use super::outside;
use super::part::Part;
use crate::end::cause::Cause;
use crate::sync::{Mutex, lock};

/// A context that ends with a token: its wait for that.
struct Waits(Mutex<Option<Pin<Box<WaitForCancellationFutureOwned>>>>);

impl Part for Waits {}

/// What the token wakes.
struct EndNode {
    token: CancellationToken,
    callbacks: Arc<Callbacks>,
}

impl Wake for EndNode {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.token.is_cancelled()
            && let Some(node) = self.callbacks.node()
        {
            node.end_with(&Cause::Cancelled);
            outside::let_go(node);
        }
    }
}

impl Ctx {
    /// A child that ends with [`Cause::Cancelled`] when `token` is cancelled: for code that is handed a token, and calls
    /// code that wants a context. The token is not cancelled by the end of the context.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Cause, Ctx};
    /// use tokio_util::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let ctx = Ctx::background().with_token(&token);
    /// assert!(!ctx.is_done());
    /// token.cancel();
    /// assert_eq!(ctx.cause(), Some(Cause::Cancelled));
    /// ```
    #[must_use = "contexts are immutable: the new one is what ends with the token"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_token(&self, token: &CancellationToken) -> Ctx {
        let add = Additions { cancellable: true, ..Additions::default() };
        let node = self.node().below(add, Waits(Mutex::new(None)), 0);
        let callbacks = Arc::clone(Callbacks::of(&node));
        let waker = Waker::from(Arc::new(EndNode { token: token.clone(), callbacks }));
        let mut wait = Box::pin(token.clone().cancelled_owned());
        // Outside tokio's cooperative budget: a poll refused for lack of it would register nothing.
        match pin!(unconstrained(wait.as_mut())).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => node.end_with(&Cause::Cancelled),
            Poll::Pending => {
                if let Some(Waits(place)) = node.part_as() {
                    *lock(place) = Some(wait);
                }
            }
        }
        Ctx::of(node).told()
    }

    /// A token that is cancelled when this context ends: for libraries that take one. What cancels the token does not end
    /// the context, and each call gives a token of its own.
    ///
    /// By the time [`cancel`](crate::Canceller::cancel) returns, of this context or of one above, the token is cancelled.
    /// At a deadline it is on time. In a runtime the context is kept until then; outside of one, once it was shut down, and in
    /// one without timers (`enable_time`), the clock of the system counts, as with [`on_done`](Ctx::on_done).
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (request, canceller) = Ctx::background().with_cancel();
    /// let token = request.cancellation_token();
    /// assert!(!token.is_cancelled());
    /// canceller.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    pub fn cancellation_token(&self) -> CancellationToken {
        // Looks at the clock, so that a deadline that has passed is an end that has come.
        if self.is_done() {
            let token = CancellationToken::new();
            token.cancel();
            return token;
        }
        // Those of all enders form a tree as the enders do: a token outlives the context that it was asked of, and is then
        // cancelled with the ones above.
        let enders: Vec<_> =
            std::iter::successors(self.node().ending(), |node| node.links.ender()).collect();
        let token =
            enders.into_iter().rev().fold(None, |above: Option<Arc<CancellationToken>>, node| {
                let new = above.map_or_else(CancellationToken::new, |above| above.child_token());
                Some(Callbacks::of(node).token(node, new))
            });
        token.map_or_else(CancellationToken::new, |token| token.child_token())
    }
}

#[cfg(test)]
mod tests;
