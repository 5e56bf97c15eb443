//! The async blocks of `#[propagate]` bodies, which carry the context they are made under.
//!
//! # Invariants
//! 1. A block runs under the context that is current when it is first polled where that is, or descends from, the one
//!    it was made under: it was given to `ctx.shield(..)`, `ctx.detach(..).spawn(..)`, `ctx.with_timeout(..).run(..)`,
//!    which mean what they say. Anywhere else, in a task or under the context of a stranger, it keeps its own.
//! 2. It keeps the context it has begun with, whoever polls it later.

use std::any::type_name;
use std::future::Future;

use crate::body::Captured;
use crate::ctx::Ctx;
use crate::run::current;
use crate::run::scope::{Begin, Scope};
use crate::run::watch::{ObservedKind, Watch};

/// An async block with its context.
pub type AsyncBlock<F> = Scope<F, Narrows>;

/// Under the current context where that descends from its own (invariant 1).
#[derive(Debug)]
pub struct Narrows {
    begun: bool,
}

impl Begin for Narrows {
    #[inline]
    fn begin(&mut self, ctx: &mut Option<Ctx>) {
        if !std::mem::replace(&mut self.begun, true)
            && let Some(own) = ctx
            && let Some(narrower) = current::narrower(own)
        {
            *own = narrower;
        }
    }
}

/// An async block that carries the context of the body that makes it.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn block_here<F: Future>(block: F) -> AsyncBlock<F> {
    block_under(Ctx::current(), block)
}

/// An async block in a closure that captured `made`. It carries the context that is current where the closure is called: a
/// handler runs under that of its request, not under what built the router. Where none is, that of the closure.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn block_called<F: Future>(made: &impl Captured, block: F) -> AsyncBlock<F> {
    block_under(made.where_called(), block)
}

/// An async block that carries `ctx`.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn block_under<F: Future>(ctx: Ctx, block: F) -> AsyncBlock<F> {
    let watch = Watch::new(ObservedKind::Block, type_name::<F>, Some(&ctx));
    Scope::beginning(Some(ctx), Narrows { begun: false }, block, watch)
}
