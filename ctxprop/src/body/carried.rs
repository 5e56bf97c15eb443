//! A call that is made in a body and awaited by something else: `join_all(ids.map(|id| load(id)))`, `timeout(limit, load(1))`.
//! It carries its context as an async block does (3.2.29).
//!
//! By type: each method is inherent for [`NeedsCtx`], and a trait method that gives back what it is called on for all else. Like
//! [`AwaitedKind::propagated_kind`](super::AwaitedKind::propagated_kind) they are asked of the thing itself, so that `!` stays `!`.

use std::future::Future;

use super::Captured;
use crate::async_block::{AsyncBlock, block_called, block_here, block_under};
use crate::ctx::Ctx;
use crate::needs_ctx::{Awaitable, NeedsCtx};

/// What everything is that is no call of a `#[propagate]` function.
pub trait Carried: Sized {
    #[inline]
    fn propagated_here(self) -> Self {
        self
    }

    #[inline]
    fn propagated_under(self, _: &Ctx) -> Self {
        self
    }

    #[inline]
    fn propagated_called(self, _: &impl Captured) -> Self {
        self
    }
}

impl<T> Carried for T {}

#[doc(hidden)]
impl<F: Future> NeedsCtx<F> {
    /// Made in a body.
    #[inline]
    pub fn propagated_here(self) -> AsyncBlock<F> {
        block_here(self.into_awaited())
    }

    /// Made in a body that binds the name of its context anew.
    #[inline]
    pub fn propagated_under(self, ctx: &Ctx) -> AsyncBlock<F> {
        block_under(ctx.clone(), self.into_awaited())
    }

    /// Made in a closure, which captured `made`.
    #[inline]
    pub fn propagated_called(self, made: &impl Captured) -> AsyncBlock<F> {
        block_called(made, self.into_awaited())
    }
}
