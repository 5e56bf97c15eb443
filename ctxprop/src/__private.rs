//! All that the macros name, and nothing else. Not public API: it may change in any release.
//!
//! How the types answer what a macro cannot see:
//! - Can this function say `Cancelled`? [`Returns::how`] exists twice: as an inherent method where the return
//!   type is a `Result` whose error is `From<Cancelled>`, which wins where that holds, and as a trait method
//!   for all types.
//! - Is this thing a future, a call that needs a context, or a shield? [`Awaited::leaf`] is inherent for
//!   shields, which are exempt, and a trait method for whatever is [`Awaitable`].
//! - Does this path make a root of ours? [`Root::check`] is inherent for `Ctx`, with a bound that nothing
//!   meets, and a trait method without one for all other types.

use std::convert::Infallible;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub use std::clone::Clone;
pub use std::future::Future;
pub use std::marker::Send;
pub use std::option::Option::Some;
pub use std::result::Result::{Err, Ok};

pub use crate::cause::Cancelled;
pub use crate::ctx::Ctx;
pub use crate::detached::DeriveFromTheCurrentContext;
pub use crate::needs_ctx::{Awaitable, NeedsCtx};
pub use crate::select::Select;

use crate::current;
use crate::detached;
use crate::leaf::Leaf;
use crate::scope::Scope;
use crate::shield::{Shield, Shielding};

/// What a function returns, asked for how it takes the end of its context.
#[derive(Debug)]
pub struct Returns<T: ?Sized>(PhantomData<fn() -> T>);

impl<T: ?Sized> Returns<T> {
    #[expect(clippy::new_without_default, reason = "only macros make one")]
    pub const fn new() -> Self {
        Returns(PhantomData)
    }
}

impl<T, E: From<Cancelled>> Returns<Result<T, E>> {
    #[inline]
    pub fn how(self) -> Unwinds<E> {
        Unwinds(PhantomData)
    }
}

/// The answer for return types that cannot say `Cancelled`.
pub trait CannotSayCancelled: Sized {
    #[inline]
    fn how(self) -> Threads {
        Threads
    }
}

impl<T: ?Sized> CannotSayCancelled for Returns<T> {}

/// Demanded by `#[propagate(unwind)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say `Cancelled`",
    label = "`unwind` needs a `Result` whose error has `From<ctxprop::Cancelled>`",
    note = "with `thiserror`, give the error type a variant with `#[from] Cancelled`",
    note = "or leave `unwind` out: the function is then threaded, and dropped where a caller unwinds"
)]
pub trait SaysCancelled {}

impl<T, E: From<Cancelled>> SaysCancelled for Result<T, E> {}

pub const fn assert_says_cancelled<T: SaysCancelled>() {}

/// How a body takes the end of its context.
pub trait How: Copy {
    /// What a leaf gives instead of a value.
    type End;

    /// The future of one await.
    type Leaf<F: Future>: Future<Output = Result<F::Output, Self::End>>;

    fn leaf<F: Future>(self, future: F) -> Self::Leaf<F>;

    /// The end, if it has come: looked at where a leaf cannot be made of what is awaited.
    fn end(self) -> Option<Self::End>;

    /// Whether it ever takes the end.
    const UNWINDS: bool;
}

/// Each leaf returns the end as an error.
#[derive(Debug)]
pub struct Unwinds<E>(PhantomData<fn() -> E>);

impl<E> Clone for Unwinds<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Unwinds<E> {}

impl<E: From<Cancelled>> Unwinds<E> {
    #[cold]
    pub fn bail<T>(self, end: Cancelled) -> Result<T, E> {
        Err(E::from(end))
    }
}

impl<E> How for Unwinds<E> {
    type End = Cancelled;
    type Leaf<F: Future> = Leaf<F>;

    #[inline]
    fn leaf<F: Future>(self, future: F) -> Leaf<F> {
        Leaf::new(future)
    }

    fn end(self) -> Option<Cancelled> {
        current::recorded_end()
    }

    const UNWINDS: bool = true;
}

/// Leaves are plain awaits.
#[derive(Clone, Copy, Debug)]
pub struct Threads;

impl Threads {
    #[inline]
    pub fn bail<T>(self, end: Infallible) -> T {
        match end {}
    }
}

impl How for Threads {
    type End = Infallible;
    type Leaf<F: Future> = Unraced<F, Infallible>;

    #[inline]
    fn leaf<F: Future>(self, future: F) -> Unraced<F, Infallible> {
        Unraced {
            future,
            end: PhantomData,
        }
    }

    fn end(self) -> Option<Infallible> {
        None
    }

    const UNWINDS: bool = false;
}

pin_project_lite::pin_project! {
    /// An await that is no cancellation point.
    #[derive(Debug)]
    pub struct Unraced<F, E> {
        #[pin]
        future: F,
        end: PhantomData<fn() -> E>,
    }
}

impl<F: Future, E> Future for Unraced<F, E> {
    type Output = Result<F::Output, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
    }
}

/// Something that a body awaits.
#[derive(Debug)]
pub struct Awaited<T>(pub T);

impl<F: Future> Awaited<Shield<F>> {
    /// Awaiting a shield is exempt from the leaf rule.
    #[inline]
    pub fn leaf<H: How>(self, _how: H) -> Unraced<Shielding<F>, H::End> {
        Unraced {
            future: self.0.into_future(),
            end: PhantomData,
        }
    }
}

/// What everything but a shield does.
pub trait Await<T>: Sized {
    fn leaf<H: How>(self, how: H) -> H::Leaf<T::Future>
    where
        T: Awaitable;

    /// Gives it the current context, and makes no leaf.
    fn thread(self) -> T::Future
    where
        T: Awaitable;
}

impl<T> Await<T> for Awaited<T> {
    #[inline]
    fn leaf<H: How>(self, how: H) -> H::Leaf<T::Future>
    where
        T: Awaitable,
    {
        how.leaf(self.0.into_awaited())
    }

    #[inline]
    fn thread(self) -> T::Future
    where
        T: Awaitable,
    {
        self.0.into_awaited()
    }
}

/// The body of a function that is given its context later.
#[inline]
pub const fn needs_ctx<T, F: Future<Output = T>>(body: F) -> NeedsCtx<F> {
    NeedsCtx::new(body)
}

/// A body that runs as a scope of `ctx`.
#[inline]
pub fn scope<T, F: Future<Output = T>>(ctx: Ctx, body: F) -> Scope<F> {
    Scope::new(ctx, body)
}

/// Tells the compiler what `future` gives, where nothing else does.
#[inline]
pub const fn typed<T, F: Future<Output = T>>(future: F) -> F {
    future
}

/// An async block that carries the context of the body that makes it.
#[inline]
pub fn scope_here<F: Future>(block: F) -> Scope<F> {
    Scope::new(Ctx::current(), block)
}

/// What `budget = ".."` grants.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    Time(Duration),
    Share(f64),
}

impl Budget {
    pub const fn time(secs: u64, nanos: u32) -> Budget {
        Budget::Time(Duration::new(secs, nanos))
    }

    pub fn of(self, ctx: &Ctx) -> Ctx {
        match self {
            Budget::Time(timeout) => ctx.with_timeout(timeout),
            Budget::Share(share) => ctx.with_budget_share(share),
        }
    }
}

/// What makes a root, asked by a `#[propagate]` body that sees the call.
#[derive(Debug)]
pub struct Root<T: ?Sized>(PhantomData<fn() -> T>);

impl<T: ?Sized> Root<T> {
    #[expect(clippy::new_without_default, reason = "only macros make one")]
    pub const fn new() -> Self {
        Root(PhantomData)
    }
}

impl<T: detached::Makes> Root<T> {
    pub fn check(self)
    where
        T: detached::StaysInItsContext,
    {
    }
}

/// The answer for types that are not ours.
pub trait NotOurs: Sized {
    fn check(self) {}
}

impl<T: ?Sized> NotOurs for Root<T> {}
