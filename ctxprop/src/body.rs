//! What a `#[propagate]` body is made of. Not public API: the macro names it through `__private`, and it is
//! here, under a path that reads well, because the compiler's messages print it.
//!
//! How the types answer what a macro cannot see:
//! - Can this function say `Cancelled`? [`Returns::how`] exists twice: as an inherent method where the return
//!   type is a `Result` whose error is `From<Cancelled>`, which wins where that holds, and as a trait method
//!   for all types.
//! - Is this thing a shield, whose await is exempt? Is it a future, or a call that needs a context? (`body/awaited.rs`)

use std::any::type_name;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::AtomicU8;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::cause::Cancelled;
use crate::ctx::Ctx;
use crate::needs_ctx::{Awaitable, NeedsCtx};
use crate::run::frame;
use crate::run::leaf::{Ended, Leaf, Why};
use crate::run::scope::{Derived, Scope};
use crate::run::watch::{ObservedKind, Outcome, Watch};

mod awaited;
mod captured;
mod carried;
mod said;
mod under;

// Under this path the compiler's messages show them.
pub use awaited::{Awaited, AwaitedKind, Exempt, NoFuture};
pub use captured::{Bound, Captured, Rebound};
pub use carried::Carried;
pub use said::CannotBeSaid;
pub use under::{
    AssignedInside, ByMut, ByValue, HowUnder, Lent, Name, Named, NotAssignedInside, NotByMut,
    NotLent, OtherName, at, leaf_under, under,
};

/// What a function returns, asked for how it takes the end of its context.
#[derive(Debug)]
pub struct Returns<T: ?Sized>(PhantomData<fn() -> T>);

impl<T: ?Sized> Returns<T> {
    #[expect(clippy::new_without_default, reason = "only macros make one")]
    pub const fn new() -> Self {
        Returns(PhantomData)
    }
}

impl<T> Returns<T> {
    /// A value that nobody ever asks for: a body that seems to return it tells what `T` is.
    #[cold]
    pub const fn given(&self) -> T {
        unreachable!()
    }
}

impl<T, E: From<Cancelled>> Returns<Result<T, E>> {
    #[inline]
    pub const fn how(self) -> Unwinds<E> {
        Unwinds { refused: AtomicU8::new(0), error: PhantomData }
    }
}

/// The answer for return types that cannot say `Cancelled`.
pub trait CannotSayCancelled: Sized {
    #[inline]
    fn how(self) -> PlainAwaits {
        PlainAwaits
    }
}

impl<T: ?Sized> CannotSayCancelled for Returns<T> {}

/// Demanded by `#[propagate(unwind)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say `Cancelled`",
    label = "`unwind` needs a `Result` whose error has `From<ctxprop::Cancelled>`",
    note = "with `thiserror`, give the error type a variant with `#[from] Cancelled`",
    note = "or leave `unwind` out: the function then passes its context on, and is dropped where a caller unwinds"
)]
pub trait SaysCancelled {}

#[diagnostic::do_not_recommend]
impl<T, E: From<Cancelled>> SaysCancelled for Result<T, E> {}

pub const fn says_cancelled<T: SaysCancelled>() {}

pub const fn says_cancelled_as<T: SaysCancelled>(_: Returns<T>) {}

/// How a body takes the end of its context.
pub trait How {
    /// What a leaf gives in place of a value of type `T`.
    type End<T>;

    /// The future of one await.
    type Leaf<F: Future>: Future<Output = Result<F::Output, Self::End<F::Output>>>;

    #[cfg_attr(feature = "observe", track_caller)]
    fn leaf<F: Future>(&self, future: F, exempt: bool) -> Self::Leaf<F>;

    /// The end in place of a value. Only where the function unwinds.
    fn ended<T>(why: Why) -> Self::End<T>;

    /// The end that keeps what waits for nothing from beginning.
    fn refused(&self) -> Option<Self::End<()>> {
        (Self::UNWINDS && frame::refuses()).then(|| Self::ended(Why::Refused))
    }

    /// Whether it ever takes the end.
    const UNWINDS: bool;

    /// Whether a join waits for what has begun, at the end, before it is decided.
    const WAITS: bool = Self::UNWINDS;
}

/// Each leaf may give the end.
#[derive(Debug)]
pub struct Unwinds<E> {
    /// How many leaves of this call were refused (`body/said.rs`).
    refused: AtomicU8,
    error: PhantomData<fn() -> E>,
}

impl<E: From<Cancelled>> Unwinds<E> {
    /// What the function returns at the end.
    #[cold]
    pub fn bail<T, U>(&self, end: Ended<U>) -> Result<T, E> {
        Err(E::from(end.cancelled()))
    }
}

impl<E> How for Unwinds<E> {
    type End<T> = Ended<T>;
    type Leaf<F: Future> = Leaf<F>;

    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    fn leaf<F: Future>(&self, future: F, exempt: bool) -> Leaf<F> {
        Leaf::new(future, exempt)
    }

    fn ended<T>(why: Why) -> Ended<T> {
        Ended::new(why)
    }

    const UNWINDS: bool = true;
}

/// Leaves are plain awaits.
#[derive(Clone, Copy, Debug)]
pub struct PlainAwaits;

impl PlainAwaits {
    #[inline]
    pub fn bail<T, U>(&self, end: Never<U>) -> T {
        end.never()
    }
}

/// The same in an async block of a function: its joins let their branches unwind all the same.
#[derive(Clone, Copy, Debug)]
pub struct InBlock;

impl How for InBlock {
    type End<T> = Never<T>;
    type Leaf<F: Future> = Unraced<F>;

    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    fn leaf<F: Future>(&self, future: F, exempt: bool) -> Unraced<F> {
        PlainAwaits.leaf(future, exempt)
    }

    fn ended<T>(why: Why) -> Never<T> {
        PlainAwaits::ended(why)
    }

    const UNWINDS: bool = false;

    const WAITS: bool = true;
}

/// The end where there is none.
pub struct Never<T>(Infallible, PhantomData<fn() -> T>);

impl<T> Never<T> {
    #[inline]
    pub fn never<U>(self) -> U {
        match self.0 {}
    }

    /// The same for a value of another type.
    pub fn of_type<U>(self) -> Never<U> {
        self.never()
    }
}

impl<T> fmt::Debug for Never<T> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

/// The value of a leaf that never gives the end.
#[inline]
pub fn given<T>(value: Result<T, Never<T>>) -> T {
    match value {
        Ok(value) => value,
        Err(never) => never.never(),
    }
}

impl How for PlainAwaits {
    type End<T> = Never<T>;
    type Leaf<F: Future> = Unraced<F>;

    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    fn leaf<F: Future>(&self, future: F, _exempt: bool) -> Unraced<F> {
        Unraced { future, watch: Watch::new(ObservedKind::Await, type_name::<F>, None) }
    }

    fn ended<T>(_: Why) -> Never<T> {
        unreachable!("nothing is given up in a function that does not unwind")
    }

    const UNWINDS: bool = false;
}

pin_project_lite::pin_project! {
    /// An await that is no cancellation point.
    #[derive(Debug)]
    pub struct Unraced<F> {
        #[pin]
        future: F,
        watch: Watch,
    }
}

impl<F: Future> Future for Unraced<F> {
    type Output = Result<F::Output, Never<F::Output>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let future = this.future;
        this.watch.around(type_name::<F>, None, |_| Outcome::Ready, || future.poll(cx).map(Ok))
    }
}

/// One await of a function.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn leaf<T: Awaitable, H: How>(awaited: T, how: &H) -> H::Leaf<T::Future> {
    how.leaf(awaited.into_awaited(), T::EXEMPT)
}

/// What an await gave, and its end as one of the same type. Of what is no future rustc would infer two types, and report
/// that they differ beside what is wrong.
#[inline]
pub fn of_one_type<T, H: How>(_: &H, value: Result<T, H::End<T>>) -> Result<T, H::End<T>> {
    value
}

/// The body of a function that is given its context later.
#[inline]
pub const fn needs_ctx<T, F: Future<Output = T>>(body: F) -> NeedsCtx<F> {
    NeedsCtx::new(body)
}

/// A body that runs as a scope of `ctx`.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn scope<T, F: Future<Output = T>>(ctx: Ctx, body: F) -> Scope<F> {
    Scope::new(ctx, body, ObservedKind::Body)
}

/// A body that runs as a scope of what `derive` makes of `parent`, or of the current context where there is none.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn derived<T, F: Future<Output = T>, D: FnOnce(&Ctx) -> Ctx>(
    parent: Option<Ctx>,
    derive: D,
    body: F,
) -> Scope<F, Derived<D>> {
    Scope::derived(parent, derive, body)
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

/// What the branch of a `try_join!` gives that never runs.
pub const fn nothing_failed() -> Result<(), Cancelled> {
    Ok(())
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
