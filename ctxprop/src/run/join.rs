//! `join!` and `try_join!` in a `#[propagate]` body: their branches in one plain struct, which the macro makes and awaits in
//! place. Its size is the sum of what it holds.
//!
//! What the branches give comes as nested pairs, `(first, (second, ()))`, which the macro takes apart.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::body::How;
use crate::run::current;
use crate::run::leaf::Why;
use crate::run::race::{Order, Polled, Race};
use crate::run::watch::{ObservedKind, Outcome, Watch};

const JOIN: &str = "join!";
const TRY_JOIN: &str = "try_join!";

pin_project! {
    /// A future, and then what it gave.
    #[project = BranchProj]
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub enum Branch<F: Future> {
        Runs { #[pin] future: F },
        Over { value: Option<F::Output> },
    }
}

impl<F: Future> Branch<F> {
    /// Polls it, unless it is over. A future that is ready is dropped at once.
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let BranchProj::Runs { future } = self.as_mut().project() {
            let Poll::Ready(value) = future.poll(cx) else { return Poll::Pending };
            self.set(Branch::Over { value: Some(value) });
        }
        Poll::Ready(())
    }

    /// What it gave, where it is over.
    pub(crate) fn value(self: Pin<&mut Self>) -> Option<&mut Option<F::Output>> {
        match self.project() {
            BranchProj::Over { value } => Some(value),
            BranchProj::Runs { .. } => None,
        }
    }
}

pin_project! {
    /// A branch, and those that follow.
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub struct Cons<F: Future, R> {
        #[pin]
        branch: Branch<F>,
        #[pin]
        rest: R,
    }
}

/// The end of the branches.
#[derive(Debug)]
pub struct Nil;

/// Adds a branch before others. Beside it stands whether all of them are exempt from the leaf rule, as shields are.
#[inline]
pub fn cons<F: Future, R>(
    (future, exempt): (F, bool),
    (rest, all): (R, bool),
) -> (Cons<F, R>, bool) {
    (Cons { branch: Branch::Runs { future }, rest }, exempt && all)
}

#[inline]
pub const fn nil() -> (Nil, bool) {
    (Nil, true)
}

/// The branches of a `join!`.
pub trait Branches {
    /// How many they are.
    const COUNT: u32;

    /// What they give: each its value, or the end.
    type Values<H: How>;

    fn poll(self: Pin<&mut Self>, n: u32, cx: &mut Context<'_>) -> Poll<()>;

    /// Takes what they gave. `why` is said of the first that gave nothing, and `others` of the others.
    fn values<H: How>(self: Pin<&mut Self>, why: Why, others: Why) -> Self::Values<H>;
}

impl Branches for Nil {
    const COUNT: u32 = 0;

    type Values<H: How> = ();

    fn poll(self: Pin<&mut Self>, _: u32, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn values<H: How>(self: Pin<&mut Self>, _: Why, _: Why) {}
}

impl<F: Future, R: Branches> Branches for Cons<F, R> {
    const COUNT: u32 = 1 + R::COUNT;

    type Values<H: How> = (Result<F::Output, H::End<F::Output>>, R::Values<H>);

    #[inline]
    fn poll(self: Pin<&mut Self>, n: u32, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if n == 0 { this.branch.poll(cx) } else { this.rest.poll(n - 1, cx) }
    }

    fn values<H: How>(self: Pin<&mut Self>, why: Why, others: Why) -> Self::Values<H> {
        let this = self.project();
        match this.branch.value().and_then(Option::take) {
            Some(value) => (Ok(value), this.rest.values::<H>(why, others)),
            None => (Err(H::ended(why)), this.rest.values::<H>(others, others)),
        }
    }
}

pin_project! {
    /// The future of a `join!`.
    #[must_use = "futures do nothing unless awaited"]
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub struct Join<H, L> {
        how: std::marker::PhantomData<fn() -> H>,
        exempt: bool,
        race: Race,
        #[pin]
        branches: L,
        watch: Watch,
    }
}

fn race<H: How, L: Branches>(order: Order) -> Race {
    const { assert!(L::COUNT <= crate::run::race::MOST, "a `join!` takes up to 64 branches") };
    Race::new::<H>(L::COUNT, order)
}

fn order(biased: bool) -> Order {
    if biased { Order::Written } else { Order::Rotating }
}

/// What came of a join's poll.
pub(crate) fn over(polled: &Poll<()>, is_given_up: bool) -> Outcome {
    match polled {
        Poll::Pending => Outcome::Pending,
        Poll::Ready(()) if is_given_up => Outcome::GivenUp,
        Poll::Ready(()) => Outcome::Ready,
    }
}

/// For a join, which is a leaf or not as awaits are.
#[cfg_attr(feature = "observe", track_caller)]
pub(crate) fn watch<H: How>(name: fn() -> &'static str) -> Watch {
    Watch::new(if H::UNWINDS { ObservedKind::Leaf } else { ObservedKind::Await }, name, None)
}

/// A `join!`.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn join<H: How, L: Branches>(_: &H, biased: bool, (branches, exempt): (L, bool)) -> Join<H, L> {
    let (how, race) = (std::marker::PhantomData, race::<H, L>(order(biased)));
    Join { how, exempt, race, branches, watch: watch::<H>(|| JOIN) }
}

impl<H: How, L: Branches> Future for Join<H, L> {
    type Output = L::Values<H>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polling = this.watch.polls(|| JOIN, None);
        if !*this.exempt && this.race.is_refused() {
            polling.ends(Outcome::Refused);
            return Poll::Ready(this.branches.values::<H>(Why::Refused, Why::RefusedToo));
        }
        current::counts_a_leaf();
        let polled = this.race.poll(cx, |n, cx, _| match this.branches.as_mut().poll(n, cx) {
            Poll::Ready(()) => Polled::Ready,
            Poll::Pending => Polled::Pending,
        });
        polling.ends(over(&polled, this.race.is_given_up()));
        polled.map(|()| this.branches.values::<H>(Why::GivenUp, Why::GivenUp))
    }
}

/// The branches of a `try_join!`, which give a `Result` with an error of type `E`.
pub trait Tries<E> {
    const COUNT: u32;

    /// What they give if there is no error, as nested pairs.
    type Values;

    fn poll(self: Pin<&mut Self>, n: u32, cx: &mut Context<'_>) -> Polled;

    /// Takes the error of a branch.
    fn error(self: Pin<&mut Self>, n: u32) -> Option<E>;

    /// Takes what they gave, if each gave something.
    fn values(self: Pin<&mut Self>) -> Option<Self::Values>;
}

impl<E> Tries<E> for Nil {
    const COUNT: u32 = 0;

    type Values = ();

    fn poll(self: Pin<&mut Self>, _: u32, _: &mut Context<'_>) -> Polled {
        Polled::Ready
    }

    fn error(self: Pin<&mut Self>, _: u32) -> Option<E> {
        None
    }

    fn values(self: Pin<&mut Self>) -> Option<()> {
        Some(())
    }
}

impl<T, E, F: Future<Output = Result<T, E>>, R: Tries<E>> Tries<E> for Cons<F, R> {
    const COUNT: u32 = 1 + R::COUNT;

    type Values = (T, R::Values);

    #[inline]
    fn poll(self: Pin<&mut Self>, n: u32, cx: &mut Context<'_>) -> Polled {
        let mut this = self.project();
        if n > 0 {
            return this.rest.poll(n - 1, cx);
        }
        if this.branch.as_mut().poll(cx).is_pending() {
            return Polled::Pending;
        }
        match this.branch.value() {
            Some(Some(Err(_))) => Polled::Decides,
            _ => Polled::Ready,
        }
    }

    fn error(self: Pin<&mut Self>, n: u32) -> Option<E> {
        let this = self.project();
        if n > 0 {
            return this.rest.error(n - 1);
        }
        this.branch.value()?.take()?.err()
    }

    fn values(self: Pin<&mut Self>) -> Option<Self::Values> {
        let this = self.project();
        let value = this.branch.value()?.take()?.ok()?;
        Some((value, this.rest.values()?))
    }
}

pin_project! {
    /// The future of a `try_join!`.
    #[must_use = "futures do nothing unless awaited"]
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub struct TryJoin<H, E, L> {
        how: std::marker::PhantomData<fn() -> (H, E)>,
        exempt: bool,
        race: Race,
        #[pin]
        branches: L,
        watch: Watch,
    }
}

/// A `try_join!`.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn try_join<H: How, E, L: Tries<E>>(
    _: &H,
    biased: bool,
    (branches, exempt): (L, bool),
) -> TryJoin<H, E, L> {
    const { assert!(L::COUNT <= crate::run::race::MOST, "a `try_join!` takes up to 64 branches") };
    let race = Race::new::<H>(L::COUNT, order(biased));
    let how = std::marker::PhantomData;
    TryJoin { how, exempt, race, branches, watch: watch::<H>(|| TRY_JOIN) }
}

impl<H: How, E, L: Tries<E>> Future for TryJoin<H, E, L> {
    type Output = Result<Result<L::Values, E>, H::End<Result<L::Values, E>>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polling = this.watch.polls(|| TRY_JOIN, None);
        if !*this.exempt && this.race.is_refused() {
            polling.ends(Outcome::Refused);
            return Poll::Ready(Err(H::ended(Why::Refused)));
        }
        current::counts_a_leaf();
        let polled = this.race.poll(cx, |n, cx, _| this.branches.as_mut().poll(n, cx));
        polling.ends(over(&polled, this.race.is_given_up()));
        if polled.is_pending() {
            return Poll::Pending;
        }
        let error = this.race.first().and_then(|n| this.branches.as_mut().error(n));
        let result = match error {
            Some(error) => Some(Err(error)),
            None => this.branches.values().map(Ok),
        };
        Poll::Ready(result.ok_or_else(|| H::ended(Why::GivenUp)))
    }
}
