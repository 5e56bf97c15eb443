//! `select!` in a `#[propagate]` body: that of tokio, and those of futures. All its branches together are one leaf; the
//! handlers stay code of the function.
//!
//! Which branch was the first comes as nested choices: `Here(value)`, `There(Here(value))`, which the macro takes apart.

use std::any::type_name;
use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::future::FusedFuture;
use pin_project_lite::pin_project;

use crate::body::How;
use crate::run::current;
use crate::run::join::{Nil, over, watch};
use crate::run::leaf::{Ended, Why};
use crate::run::race::{MOST, Order, Polled, Race};
use crate::run::watch::{ObservedKind, Outcome, Watch, outcome};

const SELECT: &str = "select!";

/// The value of one of several branches.
#[derive(Debug)]
pub enum Choice<T, R> {
    Here(T),
    There(R),
}

/// No branch at all.
#[derive(Debug)]
pub enum NoChoice {}

/// The future of a branch, asked whether what it gives may be kept while others unwind.
#[derive(Debug)]
pub struct Raced<F>(pub F);

impl<F: Future> Raced<F>
where
    F::Output: Send,
{
    #[inline]
    pub fn kept(self) -> Branch<F, Kept<F::Output>> {
        Branch::Runs { future: self.0 }
    }
}

/// The answer where that would keep the function's future from being `Send`, such as a guard of a lock.
pub trait CannotBeKept<F: Future>: Sized {
    fn kept(self) -> Branch<F, Lost<F::Output>>;
}

impl<F: Future> CannotBeKept<F> for Raced<F> {
    #[inline]
    fn kept(self) -> Branch<F, Lost<F::Output>> {
        Branch::Runs { future: self.0 }
    }
}

/// How what a branch gave is kept from one poll to another.
pub trait Keep<T>: Sized {
    /// Gives it back where it cannot be kept.
    fn keep(value: T) -> Result<Self, T>;

    fn give(self) -> T;
}

#[derive(Debug)]
pub struct Kept<T>(T);

impl<T> Keep<T> for Kept<T> {
    fn keep(value: T) -> Result<Self, T> {
        Ok(Kept(value))
    }

    fn give(self) -> T {
        self.0
    }
}

#[derive(Debug)]
pub struct Lost<T>(Infallible, PhantomData<fn() -> T>);

impl<T> Keep<T> for Lost<T> {
    fn keep(value: T) -> Result<Self, T> {
        Err(value)
    }

    fn give(self) -> T {
        match self.0 {}
    }
}

pin_project! {
    /// A future, and then what it gave, if that is kept.
    #[project = BranchProj]
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub enum Branch<F, K> {
        Runs { #[pin] future: F },
        Over { kept: Option<K> },
    }
}

pin_project! {
    /// A branch with a pattern that may refuse its value, and those that follow.
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub struct Or<F, K, P, R> {
        takes: P,
        #[pin]
        branch: Branch<F, K>,
        #[pin]
        rest: R,
    }
}

/// Adds a branch before others. `takes` tells whether its pattern takes a value.
#[inline]
pub fn or<F: Future, K, P: Fn(&F::Output) -> bool, R>(
    branch: Branch<F, K>,
    takes: P,
    rest: R,
) -> Or<F, K, P, R> {
    Or { takes, branch, rest }
}

/// The branches of a `select!`.
pub trait Choices {
    const COUNT: u32;

    /// What the first of them gives.
    type Choice;

    /// Polls a branch. What it gives goes to `chosen`; it stays here where it `keeps` after the end, and can be kept.
    fn poll(
        self: Pin<&mut Self>,
        n: u32,
        cx: &mut Context<'_>,
        keeps: bool,
        chosen: &mut dyn FnMut(Self::Choice),
    ) -> Polled;

    /// Takes what a branch gave that was kept.
    fn choice(self: Pin<&mut Self>, n: u32) -> Option<Self::Choice>;
}

impl Choices for Nil {
    const COUNT: u32 = 0;

    type Choice = NoChoice;

    fn poll(
        self: Pin<&mut Self>,
        _: u32,
        _: &mut Context<'_>,
        _: bool,
        _: &mut dyn FnMut(NoChoice),
    ) -> Polled {
        Polled::Ready
    }

    fn choice(self: Pin<&mut Self>, _: u32) -> Option<NoChoice> {
        None
    }
}

impl<F: Future, K: Keep<F::Output>, P: Fn(&F::Output) -> bool, R: Choices> Choices
    for Or<F, K, P, R>
{
    const COUNT: u32 = 1 + R::COUNT;

    type Choice = Choice<F::Output, R::Choice>;

    #[inline]
    fn poll(
        self: Pin<&mut Self>,
        n: u32,
        cx: &mut Context<'_>,
        keeps: bool,
        chosen: &mut dyn FnMut(Self::Choice),
    ) -> Polled {
        let mut this = self.project();
        if n > 0 {
            let mut chosen = |choice| chosen(Choice::There(choice));
            return this.rest.poll(n - 1, cx, keeps, &mut chosen);
        }
        let BranchProj::Runs { future } = this.branch.as_mut().project() else {
            return Polled::Ready;
        };
        let Poll::Ready(value) = future.poll(cx) else { return Polled::Pending };
        let takes = (this.takes)(&value);
        let kept = if takes && keeps && current::ended() { K::keep(value) } else { Err(value) };
        match kept {
            Ok(kept) => {
                this.branch.set(Branch::Over { kept: Some(kept) });
                Polled::Decides
            }
            Err(value) => {
                this.branch.set(Branch::Over { kept: None });
                if takes {
                    chosen(Choice::Here(value));
                    Polled::Stops
                } else {
                    Polled::Ready
                }
            }
        }
    }

    fn choice(self: Pin<&mut Self>, n: u32) -> Option<Self::Choice> {
        let this = self.project();
        if n > 0 {
            return this.rest.choice(n - 1).map(Choice::There);
        }
        match this.branch.project() {
            BranchProj::Over { kept } => kept.take().map(|kept| Choice::Here(kept.give())),
            BranchProj::Runs { .. } => None,
        }
    }
}

pin_project! {
    /// The future of a `select!`: which branch was the first; `None` where none can be any more.
    #[must_use = "futures do nothing unless awaited"]
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub struct Select<H, L> {
        how: PhantomData<fn() -> H>,
        race: Race,
        #[pin]
        branches: L,
        watch: Watch,
    }
}

/// A `select!`. `disabled` has a bit for each branch whose precondition does not
/// hold.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn select<H: How, L: Choices>(_: &H, biased: bool, disabled: u64, branches: L) -> Select<H, L> {
    const { assert!(L::COUNT <= MOST, "a `select!` takes up to 64 branches") };
    let order = if biased { Order::Written } else { Order::Random };
    let mut race = Race::new::<H>(L::COUNT, order);
    race.disable(disabled);
    Select { how: PhantomData, race, branches, watch: watch::<H>(|| SELECT) }
}

impl<H: How, L: Choices> Future for Select<H, L> {
    type Output = Result<Option<L::Choice>, H::End<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polling = this.watch.polls(|| SELECT, None);
        if this.race.is_refused() {
            polling.ends(Outcome::Refused);
            return Poll::Ready(Err(H::ended(Why::Refused)));
        }
        current::counts_a_leaf();
        let mut chosen = None;
        let polled = this.race.poll(cx, |n, cx, keeps| {
            // Before the end, and what cannot be kept, is the choice at once; what was kept came before it.
            this.branches.as_mut().poll(n, cx, keeps, &mut |choice| chosen = Some(choice))
        });
        polling.ends(over(&polled, chosen.is_none() && this.race.is_given_up()));
        if polled.is_pending() {
            return Poll::Pending;
        }
        let first = this.race.first().and_then(|n| this.branches.as_mut().choice(n));
        // What is left was pending, and had its unwinding.
        Poll::Ready(match first.or(chosen) {
            None if this.race.is_live() => Err(H::ended(Why::GivenUp)),
            choice => Ok(choice),
        })
    }
}

/// The bits of the branches whose preconditions do not hold.
#[inline]
pub fn disabled<const N: usize>(enabled: [bool; N]) -> u64 {
    enabled.iter().rev().fold(0, |bits, enabled| bits << 1 | u64::from(!enabled))
}

/// Nothing is left to wait for, and nobody said what to do then.
#[cold]
#[track_caller]
pub fn none_left() -> ! {
    panic!("all branches are disabled and there is no else branch")
}

/// The same in a `select!` of futures.
#[cold]
#[track_caller]
pub fn all_complete() -> ! {
    panic!("all futures in select! were completed, but no `complete =>` handler was provided")
}

/// A branch that was chosen because its pattern takes the value.
#[cold]
pub fn was_taken() -> ! {
    unreachable!("a pattern takes a value by reference, and refuses it")
}

/// Says of what type a `select!` is, whose end has the type of its handlers.
#[inline]
pub fn tied<T, E: OfType<T>>(selected: Result<T, E>) -> Result<T, E> {
    selected
}

/// An end that stands for a value of type `T`.
pub trait OfType<T> {}

impl<T> OfType<T> for Ended<T> {}
impl<T> OfType<T> for crate::body::Never<T> {}

pin_project! {
    /// A future of a `select!` of futures. It gives nothing where it has terminated, by whomever it was polled.
    #[must_use = "futures do nothing unless awaited"]
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub struct Fused<F> {
        #[pin]
        future: F,
        watch: Watch,
    }
}

#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn fused<F: FusedFuture>(future: F) -> Fused<F> {
    Fused { future, watch: Watch::new(ObservedKind::Part, type_name::<F>, None) }
}

impl<F: FusedFuture> Future for Fused<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let future = this.future;
        if future.is_terminated() {
            return Poll::Ready(None);
        }
        let polling = this.watch.polls(type_name::<F>, None);
        let polled = future.poll(cx).map(Some);
        polling.ends(outcome(&polled));
        polled
    }
}
