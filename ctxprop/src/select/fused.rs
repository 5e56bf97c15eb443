//! The same for `select!` and `select_biased!` of futures, which ask each branch whether it has terminated before they
//! poll it, and know neither preconditions nor patterns that may refuse.
//!
//! # Invariants
//! 1. A branch that has terminated had its chance to unwind (invariant 1 of `select`).
//! 2. The end counts as terminated while there is none, and once all branches have: `complete` and the macro's own panic
//!    come as they would.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use futures_core::future::FusedFuture;

use super::{Branch, End, Select};
use crate::body::How;

impl<H: How> Select<H> {
    /// A branch of a `select!` of futures.
    pub fn fused<F: FusedFuture>(&self, future: F) -> Branch<'_, F, H> {
        self.branch(future)
    }

    /// The branch for the end of the context in a `select!` of futures.
    pub fn fused_end(&self) -> FusedEnd<'_, H> {
        FusedEnd(self.end())
    }
}

impl<F: FusedFuture, H: How> FusedFuture for Branch<'_, F, H> {
    fn is_terminated(&self) -> bool {
        let terminated = self.future.is_terminated();
        if terminated && !self.over.replace(true) {
            self.select.ready.fetch_add(1, Relaxed);
            if !self.unwound.replace(true) {
                self.select.unwound.fetch_add(1, Relaxed);
            }
        }
        terminated
    }
}

/// The branch that the macro adds.
#[derive(Debug)]
pub struct FusedEnd<'a, H>(End<'a, H>);

impl<H: How> Future for FusedEnd<'_, H> {
    type Output = H::End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<H::End> {
        match Pin::new(&mut self.0).poll(cx) {
            Poll::Ready(Some(end)) => Poll::Ready(end),
            // It has terminated, which is asked again.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<H: How> FusedFuture for FusedEnd<'_, H> {
    fn is_terminated(&self) -> bool {
        let End { select } = self.0;
        let all = select.ready.load(Relaxed) == select.enabled.load(Relaxed);
        !H::UNWINDS || all || select.how.end().filter(H::told).is_none()
    }
}
