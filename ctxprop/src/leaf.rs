//! A leaf: one `.await`, raced with the end of the current context.
//!
//! # Invariants
//! 1. Once the context has ended, a leaf that has not started polls nothing.
//! 2. A pending leaf polls what it awaits first and looks at the end second, so that inner code unwinds
//!    before outer code. It gives up what is still pending after a poll that began after the end, unless
//!    a shield is active inside.
//! 3. It registers no waker, takes no lock and allocates nothing: the nearest scope polls it with the waker
//!    that the end wakes. (Shields inside are remembered, which allocates once one was seen.)

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::cause::Cancelled;
use crate::current;
use crate::shield::{self, Seen};

pin_project! {
    /// A future raced with the end of the current context, which must be the one of its nearest scope.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Leaf<F> {
        #[pin]
        future: F,
        started: bool,
        shields: Seen,
    }
}

impl<F> Leaf<F> {
    #[inline]
    pub(crate) fn new(future: F) -> Self {
        Leaf {
            future,
            started: false,
            shields: Seen::default(),
        }
    }

    /// A leaf that starts although the context has ended: for shields, which are active while pending.
    #[inline]
    pub(crate) fn exempt(future: F) -> Self {
        Leaf {
            started: true,
            ..Leaf::new(future)
        }
    }
}

impl<F: Future> Future for Leaf<F> {
    type Output = Result<F::Output, Cancelled>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let ended = current::ended();
        if ended && !*this.started {
            return give_up();
        }
        *this.started = true;
        let before = shield::mark();
        match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => {
                this.shields.remember_since(before);
                if ended && !this.shields.any_active() {
                    give_up()
                } else {
                    Poll::Pending
                }
            }
        }
    }
}

#[cold]
fn give_up<T>() -> Poll<Result<T, Cancelled>> {
    match current::recorded_end() {
        Some(cancelled) => Poll::Ready(Err(cancelled)),
        // Not reached: whoever calls has seen the end of the current context, and it stays ended.
        None => Poll::Pending,
    }
}
