//! [`End`]: a body's wait for the end of its context.
//!
//! It is made of a scope and not of [`Ctx::done`], since a scope inside of another one of the same context and task
//! registers nothing and needs no timer, and there most bodies are read.

use std::future::{Pending, pending};
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::{Ctx, Run};

/// Begins when a body is first waited for.
#[derive(Debug, Default)]
pub(crate) struct End {
    run: Option<Pin<Box<Run<Pending<()>>>>>,
}

impl End {
    /// Ready once `ctx`, the same at each call, has ended.
    pub(crate) fn poll(&mut self, ctx: &Ctx, cx: &mut Context<'_>) -> Poll<()> {
        let run = self.run.get_or_insert_with(|| Box::pin(ctx.run(pending())));
        run.as_mut().poll(cx).map(drop)
    }
}
