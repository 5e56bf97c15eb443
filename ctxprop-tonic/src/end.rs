//! [`End`]: a body's wait for the end of its context.
//!
//! Most bodies are read inside of a scope of the same context and task, which waits for the same end: there nothing is made.

use std::future::{Pending, pending};
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::__private::{has_ended, is_waited_for};
use ctxprop::{Ctx, Run};

/// Each so many looks look at the clock as well: what is always ready must end at its deadline too, also where it leaves
/// nobody the time to notice.
const CLOCK: u8 = 32;

/// Begins when a body is first waited for.
#[derive(Debug, Default)]
pub(crate) struct End {
    run: Option<Pin<Box<Run<Pending<()>>>>>,
    looks: u8,
}

impl End {
    /// Whether `ctx`, the same at each call, has ended. The clock is asked where no scope does that waits around here.
    pub(crate) fn has_come(&mut self, ctx: &Ctx, cx: &Context<'_>) -> bool {
        if has_ended(ctx) {
            return true;
        }
        self.looks = (self.looks + 1) % CLOCK;
        (self.looks == 0 || !is_waited_for(ctx, cx.waker())) && ctx.is_done()
    }

    /// Ready once `ctx`, the same at each call, has ended.
    pub(crate) fn poll(&mut self, ctx: &Ctx, cx: &mut Context<'_>) -> Poll<()> {
        if self.run.is_none() && is_waited_for(ctx, cx.waker()) {
            return if has_ended(ctx) { Poll::Ready(()) } else { Poll::Pending };
        }
        let run = self.run.get_or_insert_with(|| Box::pin(ctx.run(pending())));
        run.as_mut().poll(cx).map(drop)
    }
}
