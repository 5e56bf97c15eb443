//! The async blocks of `#[propagate]` bodies, which carry the context they are made under.
//!
//! # Invariants
//! 1. A block runs under the context that is current when it is first polled where that is, or descends from, the one
//!    it was made under: it was given to `ctx.shield(..)`, `ctx.detach(..).spawn(..)`, `ctx.with_timeout(..).run(..)`,
//!    which mean what they say. Anywhere else, in a task or under the context of a stranger, it keeps its own.
//! 2. It keeps the context it has begun with, whoever polls it later.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::ctx::Ctx;
use crate::run::current;
use crate::run::scope::Scope;
use crate::run::watch::Kind;

pin_project! {
    /// An async block with its context.
    #[must_use = "futures do nothing unless awaited"]
    #[allow(missing_debug_implementations, reason = "opaque to users")]
    pub struct Block<F> {
        begun: bool,
        #[pin]
        scope: Scope<F>,
    }
}

impl<F: Future> Future for Block<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if !std::mem::replace(this.begun, true)
            && let Some(narrower) = current::narrower(this.scope.ctx())
        {
            this.scope.as_mut().begin_under(narrower);
        }
        this.scope.poll(cx)
    }
}

/// An async block that carries the context of the body that makes it.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn block_here<F: Future>(block: F) -> Block<F> {
    block_under(Ctx::current(), block)
}

/// An async block in a closure that was made under `made`. It carries the context that is current where the closure is
/// called: a handler runs under that of its request, not under what built the router. Where none is, that of the closure.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn block_called<F: Future>(made: &Ctx, block: F) -> Block<F> {
    block_under(Ctx::try_current().unwrap_or_else(|| made.clone()), block)
}

/// An async block that carries `ctx`.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn block_under<F: Future>(ctx: Ctx, block: F) -> Block<F> {
    Block { begun: false, scope: Scope::new(ctx, block, Kind::Block) }
}
