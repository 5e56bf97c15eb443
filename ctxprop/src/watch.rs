//! Waiting for the end: a waker left with the context, and a timer at its deadline.
//!
//! # Invariants
//! 1. While a wait is pending its waker is registered, and its timer runs, if the end can come.
//! 2. The same waker is registered once, not at every poll: polling again takes no lock.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

use crate::cause::Cause;
use crate::context::deadline::timer;
use crate::ctx::Ctx;
use crate::end::Keys;

pin_project! {
    /// One future's wait for the end of one context, which it is given at each call.
    #[derive(Debug, Default)]
    pub(crate) struct Watch {
        keys: Keys,
        waker: Option<Waker>,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl Watch {
    /// Whether the context has ended. Looks at the timer, or at the clock where no timer runs.
    pub(crate) fn ended(self: Pin<&mut Self>, ctx: &Ctx) -> bool {
        let timer = self.project().timer.as_pin_mut();
        ctx.ended() || (timer.is_none_or(|timer| timer.is_elapsed()) && ctx.expire_if_due())
    }

    /// Ready when the context has ended; else the waker of `cx` is woken when it does.
    pub(crate) fn poll_end(self: Pin<&mut Self>, ctx: &Ctx, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let known = this.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if known {
            if ctx.ended() {
                return Poll::Ready(());
            }
        } else {
            if !ctx.can_end() {
                return Poll::Pending;
            }
            ctx.unregister(this.keys);
            *this.waker = None;
            if !ctx.register(cx.waker(), this.keys) {
                return Poll::Ready(());
            }
            *this.waker = Some(cx.waker().clone());
        }
        let Some(deadline) = ctx.deadline() else {
            return Poll::Pending;
        };
        match this.timer.as_mut().as_pin_mut() {
            Some(timer) if !timer.is_elapsed() => {
                if known {
                    return Poll::Pending;
                }
            }
            // None runs, or it fired. A runtime that shuts down fires all its timers: the clock tells.
            _ => {
                if ctx.expire_if_due() {
                    return Poll::Ready(());
                }
                this.timer.set(timer(deadline));
            }
        }
        let Some(timer) = this.timer.as_pin_mut() else {
            return Poll::Pending;
        };
        // Outside tokio's cooperative budget: a poll refused for lack of it would register nothing.
        match pin!(unconstrained(timer)).poll(cx) {
            Poll::Ready(()) if ctx.expire_if_due() => Poll::Ready(()),
            // Of a runtime that shuts down, which nothing can wait in any more.
            _ => Poll::Pending,
        }
    }

    /// Whether somebody waits with another waker than `waker`.
    pub(crate) fn is_other(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|known| !known.will_wake(waker))
    }

    /// Wakes whoever waits, if somebody registered.
    pub(crate) fn wake(self: Pin<&mut Self>) {
        self.project().waker.iter().for_each(Waker::wake_by_ref);
    }

    /// Takes the waker back, and gives it. Whoever drops a watch that was polled calls this first.
    pub(crate) fn release(self: Pin<&mut Self>, ctx: &Ctx) -> Option<Waker> {
        let mut this = self.project();
        ctx.unregister(this.keys);
        this.timer.set(None);
        this.waker.take()
    }
}

pin_project! {
    /// The future of [`Ctx::done`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Done {
        ctx: Ctx,
        #[pin]
        watch: Watch,
    }

    impl PinnedDrop for Done {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.watch.release(this.ctx);
        }
    }
}

impl Future for Done {
    type Output = Cause;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let mut this = self.project();
        if !this.watch.as_mut().ended(this.ctx) && this.watch.poll_end(this.ctx, cx).is_pending() {
            return Poll::Pending;
        }
        match this.ctx.cause() {
            Some(cause) => Poll::Ready(cause),
            None => Poll::Pending,
        }
    }
}

impl Ctx {
    /// Waits for the end of this context, and tells why it came. On a context that nothing can end it
    /// waits for ever.
    ///
    /// # Panics
    ///
    /// Where the context has a deadline and the current runtime has no timers (`enable_time`). Outside of
    /// a tokio runtime a deadline is noticed when the future is polled.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use ctxprop::{Background, Cause, Ctx};
    ///
    /// let ctx = Ctx::background().with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.done().await, Cause::DeadlineExceeded);
    /// # });
    /// ```
    #[doc(alias = "Done")]
    pub fn done(&self) -> Done {
        Done { ctx: self.clone(), watch: Watch::default() }
    }
}
