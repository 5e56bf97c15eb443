//! Is a function that the body calls one that a rule is about, under whatever name it was imported?
//!
//! Each function has a type of its own, which nobody can name and inference can compare: [`Function`] of twice the same
//! has methods of its own, and a trait has them for all others. The methods do nothing when they run.

use std::future::Ready;
use std::marker::PhantomData;

use super::{DoesNotBlock, StaysInTheRequest};

/// The functions that rules are about and this crate can name.
pub mod known {
    #[doc(hidden)]
    pub use std::thread::{sleep, spawn as spawn_thread};
    #[doc(hidden)]
    pub use tokio::task::{spawn, spawn_blocking, spawn_local};
}

/// A function of the body beside a known one. It is handed through, because a block or a variable between the function
/// and its arguments would hide from the compiler what a closure among them has to give.
#[derive(Debug)]
pub struct Function<F, Known> {
    function: F,
    known: PhantomData<fn() -> Known>,
}

impl<F, Known> Function<F, Known> {
    #[inline]
    pub fn beside(function: F, _: Known) -> Self {
        Function { function, known: PhantomData }
    }
}

impl<F> Function<F, F> {
    #[inline]
    pub fn spawn(self) -> F
    where
        F: StaysInTheRequest,
    {
        self.function
    }

    #[inline]
    pub fn spawn_blocking(self) -> F
    where
        F: StaysInTheRequest,
    {
        self.function
    }

    #[inline]
    pub fn sleep(self) -> F
    where
        F: DoesNotBlock,
    {
        self.function
    }
}

/// The answer for all other functions. A known one that is generic has to be one for some type: any that it takes.
pub trait AnotherFunction: Sized {
    type Function;
    type Known;

    fn spawn<T>(self) -> Self::Function
    where
        Self::Known: FnOnce(Ready<()>) -> T;

    fn spawn_blocking<T>(self) -> Self::Function
    where
        Self::Known: FnOnce(fn()) -> T;

    fn sleep(self) -> Self::Function;
}

impl<F, Known> AnotherFunction for Function<F, Known> {
    type Function = F;
    type Known = Known;

    #[inline]
    fn spawn<T>(self) -> F
    where
        Known: FnOnce(Ready<()>) -> T,
    {
        self.function
    }

    #[inline]
    fn spawn_blocking<T>(self) -> F
    where
        Known: FnOnce(fn()) -> T,
    {
        self.function
    }

    #[inline]
    fn sleep(self) -> F {
        self.function
    }
}

/// Gives what a call would, where it never runs.
#[inline]
pub fn never<T>(_: T) -> ! {
    unreachable!("stands behind `if false`")
}
