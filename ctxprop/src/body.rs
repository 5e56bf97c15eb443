//! What a `#[propagate]` body is made of. Not public API: the macro names it through `__private`, and it is
//! here, under a path that reads well, because the compiler's messages print it.
//!
//! How the types answer what a macro cannot see:
//! - Can this function say `Cancelled`? [`Returns::how`] exists twice: as an inherent method where the return
//!   type is a `Result` whose error is `From<Cancelled>`, which wins where that holds, and as a trait method
//!   for all types.
//! - Is this thing a shield, whose await is exempt? Is it a future, or a call that needs a context? (`body/awaited.rs`)

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::cause::Cancelled;
use crate::ctx::Ctx;
use crate::leaf::{Ended, Leaf};
use crate::needs_ctx::{Awaitable, NeedsCtx};
use crate::scope::Scope;

mod awaited;

// Under this path the compiler's messages show them.
pub use awaited::{Awaited, Exempt, Kind, NoFuture};

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

#[diagnostic::do_not_recommend]
impl<T, E: From<Cancelled>> SaysCancelled for Result<T, E> {}

pub const fn says_cancelled<T: SaysCancelled>() {}

/// How a body takes the end of its context.
pub trait How: Copy {
    /// What a leaf gives instead of a value.
    type End;

    /// The future of one await.
    type Leaf<F: Future>: Future<Output = Result<F::Output, Self::End>>;

    fn leaf<F: Future>(self, future: F, exempt: bool) -> Self::Leaf<F>;

    /// The end, if it has come: looked at where a leaf cannot be made of what is awaited.
    fn end(self) -> Option<Self::End>;

    /// The end that keeps such a place from beginning.
    fn end_before(self) -> Option<Self::End>;

    /// Whether what is pending may be given up at `end`.
    fn told(end: &Self::End) -> bool;

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
    pub fn bail<T>(self, end: Ended) -> Result<T, E> {
        Err(E::from(end.cancelled()))
    }
}

impl<E> How for Unwinds<E> {
    type End = Ended;
    type Leaf<F: Future> = Leaf<F>;

    #[inline]
    fn leaf<F: Future>(self, future: F, exempt: bool) -> Leaf<F> {
        if exempt { Leaf::exempt(future) } else { Leaf::new(future) }
    }

    fn end(self) -> Option<Ended> {
        Ended::seen()
    }

    fn end_before(self) -> Option<Ended> {
        Ended::before()
    }

    fn told(end: &Ended) -> bool {
        end.told
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
    type Leaf<F: Future> = Unraced<F>;

    #[inline]
    fn leaf<F: Future>(self, future: F, _exempt: bool) -> Unraced<F> {
        Unraced { future }
    }

    fn end(self) -> Option<Infallible> {
        None
    }

    fn end_before(self) -> Option<Infallible> {
        None
    }

    fn told(end: &Infallible) -> bool {
        match *end {}
    }

    const UNWINDS: bool = false;
}

pin_project_lite::pin_project! {
    /// An await that is no cancellation point.
    #[derive(Debug)]
    pub struct Unraced<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Unraced<F> {
    type Output = Result<F::Output, Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
    }
}

/// One await of a function.
#[inline]
pub fn leaf<T: Awaitable, H: How>(awaited: T, how: H) -> H::Leaf<T::Future> {
    how.leaf(awaited.into_awaited(), T::EXEMPT)
}

/// The leaf that a `join!` as a whole is: exempt where all its arguments are.
#[inline]
pub fn joined<F: Future, H: How>(join: F, exempt: bool, how: H) -> H::Leaf<F> {
    how.leaf(join, exempt)
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

/// The future of a function that is `boxed`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The body of a function that is `boxed`.
#[inline]
pub fn boxed<'a, T, F: Future<Output = T> + Send + 'a>(body: F) -> BoxFuture<'a, T> {
    Box::pin(body)
}

/// What a function pointer gives: the one way to write `!` as a type that stable Rust knows.
pub trait Gives {
    type Output;
}

impl<T> Gives for fn() -> T {
    type Output = T;
}

/// A value of type `T` that nobody ever asks for. Returned at the start of a body, where it never is, it tells the
/// compiler what the body returns before it sees anything else, so that a mismatch is shown where it is.
#[cold]
pub const fn returned<T>() -> T {
    unreachable!()
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
