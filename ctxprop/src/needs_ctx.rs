//! [`NeedsCtx`], what a `#[propagate]` function returns, and [`Awaitable`], what takes it or a future.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::ctx::Ctx;
use crate::run::scope::Scope;

mod absent;

pub(crate) use self::absent::Absent;

/// The call of a `#[propagate]` function that was not given a context yet. It is not a future, so that
/// it cannot be awaited without one.
///
/// - In a `#[propagate]` body, `.await` it: the context of that body is passed on.
/// - Elsewhere, `.with(&ctx).await`; to run it as a task, `ctx.spawn(call)`.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use ctxprop::{Background, Ctx, NeedsCtx};
///
/// fn locale() -> NeedsCtx<impl Future<Output = String>> {
///     NeedsCtx::new(async { Ctx::current().value::<&str>().unwrap_or(&"en").to_string() })
/// }
///
/// let ctx = Ctx::background().with_value("de");
/// assert_eq!(locale().with(&ctx).await, "de");
/// # });
/// ```
///
/// ```compile_fail
/// # use ctxprop::NeedsCtx;
/// # fn locale() -> NeedsCtx<impl Future<Output = String>> { NeedsCtx::new(async { String::new() }) }
/// async fn forgetful() -> String {
///     locale().await // error: `NeedsCtx` is not a future
/// }
/// ```
#[must_use = "it does nothing until it has a context: `.await` it in a `#[propagate]` function, or use `.with(&ctx)`"]
#[derive(Clone)]
pub struct NeedsCtx<F> {
    future: F,
}

impl<F> NeedsCtx<F> {
    /// Marks a future that reads [`Ctx::current`] as one that cannot run without a context. For libraries:
    /// `#[propagate]` does it for functions.
    pub const fn new(future: F) -> Self {
        NeedsCtx { future }
    }

    /// Gives it its context: the future runs with `ctx` current, as in [`Ctx::scope`].
    ///
    /// # Panics
    ///
    /// As [`Ctx::scope`].
    ///
    /// # Cancel safety
    ///
    /// As cancel-safe as the function.
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with(self, ctx: &Ctx) -> Scope<F>
    where
        F: Future,
    {
        ctx.scope(self.future)
    }

    /// Gives it the context that is current: in a `#[propagate]` body, that of the function. To hand a call to what takes
    /// a future, where it is not awaited on the spot.
    ///
    /// In a closure of a `#[propagate]` body it works also where the closure is called outside of any context: it then
    /// is the context that the closure was made under.
    ///
    /// # Panics
    ///
    /// Outside of any scope, as [`Ctx::current`].
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Cancelled, Ctx, propagate};
    ///
    /// #[propagate]
    /// async fn load(id: u64) -> Result<u64, Cancelled> {
    ///     Ok(id)
    /// }
    ///
    /// #[propagate]
    /// async fn in_time(id: u64) -> Result<u64, Cancelled> {
    ///     let call = load(id).in_current();
    ///     tokio::pin!(call);
    ///     call.await
    /// }
    ///
    /// assert_eq!(in_time(7).with(&Ctx::background()).await, Ok(7));
    /// # });
    /// ```
    #[track_caller]
    pub fn in_current(self) -> Scope<F>
    where
        F: Future,
    {
        Ctx::current().scope(self.future)
    }

    /// The same in a closure that was made under `made`.
    #[doc(hidden)]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn in_current_or(self, made: &Ctx) -> Scope<F>
    where
        F: Future,
    {
        Ctx::try_current().unwrap_or_else(|| made.clone()).scope(self.future)
    }
}

impl<F> fmt::Debug for NeedsCtx<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NeedsCtx")
    }
}

// Nothing is pinned in it, and what asks for a future that is `Unpin` has one error with it, not two.
impl<F> Unpin for NeedsCtx<F> {}

/// A call that gives a `T`. A type of its own, because rustc says what the innermost type lacks, where that is another than
/// the one it asked about; with a name that tells a reader what the call returned.
#[derive(Debug)]
pub struct NeedsCtxOf<T>(PhantomData<fn() -> T>);

/// What a call would have to be to be a future. Implemented by nothing: its absence is the message.
#[diagnostic::on_unimplemented(
    message = "`NeedsCtx` is not a future: this call of a `#[propagate]` function was given no context",
    label = "the call needs `.with(&ctx)`, or `.in_current()` inside of a `#[propagate]` function",
    note = "in a function with `#[propagate]` an `.await` right behind the call is enough; a task is `ctx.spawn(call)`, an axum handler `ctxprop_axum::handler(function)`; where there is no `ctx`: `let ctx = Ctx::current();` in what a handler calls, before any closure, `Ctx::background()` in `main` and in tests",
    note = "the same error at an `.await` further on is the same mistake, and goes with this one; what rustc may suggest (no `.await`, `async` once more) does not help, and `#[propagate(skip)]` is for methods of traits that know no contexts"
)]
pub trait HasItsContext {}

/// Never: the bound cannot be met. It is here so that a call that was given no context says what it lacks wherever a
/// future is asked for.
#[doc(hidden)]
impl<F: Future> Future for NeedsCtx<F>
where
    NeedsCtxOf<F::Output>: HasItsContext,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<F::Output> {
        unreachable!("no type meets the bound of this implementation")
    }
}

/// A future, or the call of a `#[propagate]` function: what [`Ctx::scope`], [`Ctx::run`], [`Ctx::spawn`] and
/// [`Ctx::shield`] take. It cannot be implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a future",
    label = "neither a future nor a call of a `#[propagate]` function"
)]
pub trait Awaitable: sealed::Sealed {
    /// What it gives in the end.
    type Output;

    /// The future that gives it.
    type Future: Future<Output = Self::Output>;

    /// Whether awaiting it is no cancellation point.
    #[doc(hidden)]
    const EXEMPT: bool = false;

    #[doc(hidden)]
    fn into_awaited(self) -> Self::Future;
}

// Two implementations, which do not overlap because `NeedsCtx` is local and no `IntoFuture`. The first is one that
// rustc may speak of: it then finds the `NeedsCtx` inside of a `Pin<Box<NeedsCtx<..>>>`, and says what that one lacks.
impl<T: IntoFuture> Awaitable for T {
    type Output = T::Output;
    type Future = T::IntoFuture;

    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    fn into_awaited(self) -> Self::Future {
        self.into_future()
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future> Awaitable for NeedsCtx<F> {
    type Output = F::Output;
    type Future = F;

    #[inline]
    fn into_awaited(self) -> F {
        self.future
    }
}

pub(crate) mod sealed {
    use std::future::{Future, IntoFuture};

    use super::NeedsCtx;

    pub trait Sealed {}

    impl<T: IntoFuture> Sealed for T {}
    impl<F: Future> Sealed for NeedsCtx<F> {}
}
