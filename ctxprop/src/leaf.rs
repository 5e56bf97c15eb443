//! A leaf: one `.await`, raced with the end of the current context.
//!
//! # Invariants
//! 1. Once the context has ended, a leaf that has not started polls nothing, unless its function holds an active
//!    shield, which it inherits (`shield.rs`, invariant 4).
//! 2. A pending leaf polls what it awaits first and looks at the end second, so that inner code unwinds
//!    before outer code. It gives up what is still pending after a poll that began after all were told of the end,
//!    unless a shield is active inside.
//! 3. It registers no waker, takes no lock and allocates nothing: the nearest scope polls it with the waker
//!    that the end wakes. (Shields inside are another matter: they are remembered once one was seen.)
//! 4. Each 64th poll of a leaf on a thread looks at the clock: code that never waits would else never see a deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::cause::{Cancelled, Cause};
use crate::current;
use crate::shield::{self, Seen};

pin_project! {
    /// A future raced with the end of the current context, which must be the one of its nearest scope.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Leaf<F> {
        #[pin]
        future: F,
        stage: Stage,
        shields: Seen,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begins,
    /// Begins, also after the end.
    Exempt,
    Begun,
}

impl<F> Leaf<F> {
    #[inline]
    pub(crate) fn new(future: F) -> Self {
        Leaf { future, stage: Stage::Begins, shields: Seen::default() }
    }

    /// A leaf that starts although the context has ended: for shields, which are active while pending.
    #[inline]
    pub(crate) fn exempt(future: F) -> Self {
        Leaf { stage: Stage::Exempt, ..Leaf::new(future) }
    }
}

/// What a leaf gives when it gives up: that the current context has ended. Why is asked where it is needed, so
/// that no leaf carries an error about.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Whether everything that waited for the end was told: only then is what is pending given up.
    pub(crate) told: bool,
}

impl Ended {
    /// The end of the current context, if it was recorded.
    #[inline]
    pub(crate) fn seen() -> Option<Ended> {
        if !current::ended() {
            return None;
        }
        current::tell();
        Some(Ended { told: true })
    }

    /// The same, where a leaf begins: none while the function holds an active shield.
    pub(crate) fn before() -> Option<Ended> {
        Ended::seen().filter(|_| !shield::handed_is_active())
    }

    /// Why the current context ended.
    #[cold]
    pub(crate) fn cancelled(self) -> Cancelled {
        // It was recorded when this was made, and the same context is current.
        current::recorded_end().unwrap_or_else(|| Cancelled::new(Cause::Cancelled))
    }
}

impl<F: Future> Future for Leaf<F> {
    type Output = Result<F::Output, Ended>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Before the poll: what is pending after it is given up only if it was polled knowing of the end.
        let mut end = None;
        if current::has_news() {
            match news(*this.stage, this.shields) {
                Err(end) => return Poll::Ready(Err(end)),
                Ok(seen) => end = seen,
            }
        }
        current::polls_a_leaf();
        let before = shield::mark();
        match this.future.poll(cx) {
            Poll::Ready(output) => {
                this.shields.hand_over_since(before);
                Poll::Ready(Ok(output))
            }
            Poll::Pending => {
                *this.stage = Stage::Begun;
                let unwinding = this.shields.remember_since(before);
                match end {
                    Some(end) if end.told && !unwinding && !this.shields.hold(cx.waker()) => {
                        Poll::Ready(Err(end))
                    }
                    _ => Poll::Pending,
                }
            }
        }
    }
}

/// The end, if that is the news; an error where it keeps a leaf from beginning.
#[cold]
fn news(stage: Stage, shields: &mut Seen) -> Result<Option<Ended>, Ended> {
    if stage != Stage::Begun {
        shields.inherit();
    }
    match Ended::seen() {
        Some(end) if stage == Stage::Begins && !shields.any_active() => Err(end),
        end => Ok(end),
    }
}
