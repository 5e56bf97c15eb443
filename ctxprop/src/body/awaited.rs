//! What a body awaits: a future, a call that needs a context, a shield, or nothing of the kind.
//!
//! - Is it a shield, whose await is exempt? [`AwaitedKind::propagated_kind`] is inherent for shields, and a trait method for all
//!   types.
//! - Is it a future, or a call that needs a context? [`Awaitable`] is implemented for both.
//! - Is it neither? In blocks, `join!` and `select!`, [`Awaited::branch`] is inherent for what is awaitable, and a trait
//!   method for all else: it does not compile, and gives an `Absent`, so that nothing around it has an error of its own.

use std::future::{Future, IntoFuture};

use crate::cause::Cancelled;
use crate::needs_ctx::{Absent, Awaitable, sealed};
use crate::run::shield::{Shield, Shielding};
use crate::run::watch::{Observed, ObservedKind, observed};

/// What everything is that a body awaits, but a shield. Asked of the thing itself, and not of a wrapper around it, which
/// each await of a crate would have rustc check. Its name is one that nobody else has.
pub trait AwaitedKind: Sized {
    #[inline]
    fn propagated_kind(self) -> Self {
        self
    }
}

impl<T> AwaitedKind for T {}

/// What is awaited where it is no leaf of its own.
#[derive(Debug)]
pub struct Awaited<T>(pub T);

impl<T: Awaitable> Awaited<T> {
    /// What is no leaf of its own: an await of a nested block, a branch of a `select!`.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn branch(self) -> Observed<T::Future> {
        observed(self.0.into_awaited(), ObservedKind::Await)
    }

    /// One argument of a `join!`, and whether it is exempt.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn part(self) -> (Observed<T::Future>, bool) {
        (observed(self.0.into_awaited(), ObservedKind::Part), T::EXEMPT)
    }
}

/// What is no future: the one error there is, and types that cause no other.
pub trait NoFuture<T>: Sized {
    fn branch<U>(self) -> Absent<U>
    where
        T: Awaitable,
    {
        Absent::new()
    }

    fn part<U>(self) -> (Absent<U>, bool)
    where
        T: Awaitable,
    {
        (Absent::new(), false)
    }
}

impl<T> NoFuture<T> for Awaited<T> {}

impl<F> Shield<F> {
    #[doc(hidden)]
    #[inline]
    pub fn propagated_kind(self) -> Exempt<F> {
        Exempt(self)
    }
}

/// A shield, whose await is exempt from the leaf rule.
#[derive(Debug)]
pub struct Exempt<F>(Shield<F>);

#[diagnostic::do_not_recommend]
impl<F: Future> Awaitable for Exempt<F> {
    type Output = Result<F::Output, Cancelled>;
    type Future = Shielding<F>;

    const EXEMPT: bool = true;

    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    fn into_awaited(self) -> Shielding<F> {
        self.0.into_future()
    }
}

impl<F: Future> sealed::Sealed for Exempt<F> {}
