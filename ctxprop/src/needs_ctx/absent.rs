//! What keeps a call without a context at one error: [`Absent`], which stands for a future that is none, and the methods
//! that people know from futures, which say of a call what it lacks. Nothing here ever runs.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{HasItsContext, NeedsCtx, NeedsCtxOf};

/// Stands for a future that is none, in code that does not compile, so that nothing around it has an error of its own.
#[derive(Clone, Debug)]
pub struct Absent<T>(PhantomData<fn() -> T>);

impl<T> Absent<T> {
    pub(crate) const fn new() -> Self {
        Absent(PhantomData)
    }
}

impl<T> Future for Absent<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        unreachable!("code with one in it does not compile")
    }
}

/// Methods of `FutureExt` and `TryFutureExt`. Without them rustc would say that a method is there and cannot be called,
/// and list the traits of futures. They have as many type parameters as those, which people write. Not `fuse`: what it gives has to be a fused future.
#[doc(hidden)]
#[allow(missing_docs, reason = "not there to be called")]
impl<F: Future> NeedsCtx<F> {
    pub fn boxed<'a>(self) -> Pin<Box<dyn Future<Output = F::Output> + Send + 'a>>
    where
        F::Output: 'a,
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Box::pin(Absent::new())
    }

    pub fn boxed_local<'a>(self) -> Pin<Box<dyn Future<Output = F::Output> + 'a>>
    where
        F::Output: 'a,
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Box::pin(Absent::new())
    }

    pub fn shared(self) -> Absent<F::Output>
    where
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Absent::new()
    }

    pub fn map<T, C: FnOnce(F::Output) -> T>(self, _: C) -> Absent<T>
    where
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Absent::new()
    }

    pub fn then<T: Future, C: FnOnce(F::Output) -> T>(self, _: C) -> Absent<T::Output>
    where
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Absent::new()
    }
}

#[doc(hidden)]
#[allow(missing_docs, reason = "not there to be called")]
impl<F: Future<Output = Result<T, E>>, T, E> NeedsCtx<F> {
    pub fn map_ok<U, C: FnOnce(T) -> U>(self, _: C) -> Absent<Result<U, E>>
    where
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Absent::new()
    }

    pub fn map_err<U, C: FnOnce(E) -> U>(self, _: C) -> Absent<Result<T, U>>
    where
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Absent::new()
    }

    pub fn and_then<U: Future, C: FnOnce(T) -> U>(self, _: C) -> Absent<U::Output>
    where
        NeedsCtxOf<F::Output>: HasItsContext,
    {
        Absent::new()
    }
}
