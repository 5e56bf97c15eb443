//! A leaf: one `.await` of a function that can say `Cancelled`, raced with the end of the current context.
//!
//! # Invariants
//! 1. What is awaited after the end does not begin (3.2.6), unless an active shield holds the code around (`frame.rs`).
//!    That is decided where the leaf is made, which is right before it is first polled, so the leaf is no larger than
//!    what it awaits.
//! 2. It polls what it awaits first and looks at the end second (3.2.7), so that inner code unwinds before outer code.
//!    It gives up what is still pending after a poll that began knowing of the end, unless it is held.
//! 3. It registers no waker, takes no lock and allocates nothing (3.2.15): the nearest scope polls it with the waker
//!    that the end wakes.
//! 4. Each 64th poll of a leaf on a thread looks at the clock (3.2.14): code that never waits would else never
//!    see a deadline.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cause::{Cancelled, Cause};
use crate::run::watch::{ObservedKind, Outcome, Watch};
use crate::run::{current, frame};

pin_project! {
    /// A future raced with the end of the current context, which must be the one of its nearest scope.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Leaf<F> {
        #[pin]
        future: F,
        watch: Watch,
    }
}

impl<F> Leaf<F> {
    /// Made where it is awaited at once (invariant 1). A shield is exempt.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub(crate) fn new(future: F, exempt: bool) -> Self {
        let watch = Watch::new(ObservedKind::Leaf, type_name::<F>, None);
        if !exempt && frame::refuses() {
            current::refuse();
        }
        Leaf { future, watch }
    }

    /// Made where it is polled under another context. It looks at no end.
    #[cfg_attr(feature = "observe", track_caller)]
    pub(crate) fn later(future: F) -> Self {
        Leaf { future, watch: Watch::later(ObservedKind::Leaf) }
    }

    /// Tells observers of it, if it was [made for later](Leaf::later).
    pub(crate) fn announce(self: Pin<&mut Self>) {
        self.project().watch.announce(type_name::<F>);
    }
}

/// What a leaf gives in place of a value of type `T`: that the current context has ended. Why is asked where it is
/// needed, so that no leaf carries an error about.
pub struct Ended<T> {
    why: Why,
    value: PhantomData<fn() -> T>,
}

/// How a leaf came to give no value of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It did not begin.
    Refused,
    /// It did not begin, and neither did another part of the same join, which was counted.
    RefusedToo,
    /// It was pending, and was dropped.
    GivenUp,
}

impl Why {
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Why::GivenUp => Outcome::GivenUp,
            Why::Refused | Why::RefusedToo => Outcome::Refused,
        }
    }
}

impl<T> Ended<T> {
    #[inline]
    pub(crate) fn new(why: Why) -> Self {
        Ended { why, value: PhantomData }
    }

    /// The same for a value of another type.
    pub fn of_type<U>(self) -> Ended<U> {
        Ended::new(self.why)
    }

    /// Whether it counts as a leaf that was refused.
    pub(crate) fn counts(&self) -> bool {
        self.why == Why::Refused
    }

    /// Why the current context ended.
    #[cold]
    pub(crate) fn cancelled(&self) -> Cancelled {
        // It was recorded when this was made, and the same context is current.
        current::recorded_end().unwrap_or_else(|| Cancelled::new(Cause::Cancelled))
    }
}

impl<T> fmt::Debug for Ended<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ended").field(&self.why).finish()
    }
}

/// Whether what stays pending is given up: the poll knew of the end, and nothing holds.
#[inline]
fn gives_up(waker: &Waker) -> bool {
    current::seen() && is_not_held(waker)
}

#[cold]
#[inline(never)]
fn is_not_held(waker: &Waker) -> bool {
    !frame::may_go_on(None, None, Some(waker))
}

impl<F: Future> Future for Leaf<F> {
    type Output = Result<F::Output, Ended<F::Output>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let future = this.future;
        // What is awaited is polled in one place, so that its code is there once: it may be all of a function. That the end
        // is known is asked again behind it, where it is pending.
        let poll = || {
            if current::polls_a_leaf() && current::has_news() && current::is_refused() {
                return Poll::Ready(Err(Ended::new(Why::Refused)));
            }
            match future.poll(cx) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending if gives_up(cx.waker()) => Poll::Ready(Err(Ended::new(Why::GivenUp))),
                Poll::Pending => Poll::Pending,
            }
        };
        this.watch.around(type_name::<F>, None, outcome, poll)
    }
}

/// What came of it.
fn outcome<T>(output: &Result<T, Ended<T>>) -> Outcome {
    match output {
        Ok(_) => Outcome::Ready,
        Err(ended) => ended.why.outcome(),
    }
}

pin_project! {
    /// The leaf of a [`Run`](super::scope::Run), which is not polled where it is made.
    #[derive(Debug)]
    pub(crate) struct Backstop<F> {
        begun: bool,
        #[pin]
        future: F,
    }
}

impl<F> Backstop<F> {
    pub(crate) fn new(future: F) -> Self {
        Backstop { begun: false, future }
    }
}

impl<F: Future> Future for Backstop<F> {
    type Output = Result<F::Output, Why>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if !std::mem::replace(this.begun, true) && frame::refuses() {
            return Poll::Ready(Err(Why::Refused));
        }
        match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if gives_up(cx.waker()) => Poll::Ready(Err(Why::GivenUp)),
            Poll::Pending => Poll::Pending,
        }
    }
}
