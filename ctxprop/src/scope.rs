//! Scopes: futures that run under a context.
//!
//! # Invariants
//! 1. The context is current while the inner future is polled and while it is dropped, and at no other time.
//! 2. While a scope is pending, the end of its context wakes it, whichever task polls it: it waits for
//!    the end itself, or the scope around it does with the same waker.
//! 3. After the end the inner future is polled once more, so that its leaves unwind, but not before all were told of it
//!    (`end/waiters.rs`, invariant 2): a poll in between would use up the wake-ups of what is inside, and the next one, in
//!    which leaves give up, would not reach it.
//! 4. A scope that never waits registers nothing.
//! 5. A scope counts those inside that rely on it (2). Where it goes, or moves to another task, and they stay, held by
//!    somebody else, it wakes their task, which polls them again, or hands them to the scope around it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::cause::Cancelled;
use crate::ctx::Ctx;
use crate::current::{self, Cover};
use crate::leaf::Leaf;
use crate::needs_ctx::Awaitable;
use crate::watch::Watch;

pin_project! {
    /// A future that runs with a context current: see [`Ctx::scope`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Scope<F> {
        ctx: Ctx,
        #[pin]
        watch: Watch,
        // The scopes inside that rely on this one, and the serial of the one around that this one relies on.
        cover: Cover,
        covered_by: u64,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Scope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // First, because what the future holds may panic in its drop.
            let waker = this.watch.release(this.ctx);
            if this.future.is_some() {
                current::enter(this.ctx, None, this.cover, || this.future.set(None));
                let covered = current::relies_no_more(*this.covered_by);
                leave_behind(this.cover.count, covered, waker.as_ref());
            }
        }
    }
}

impl<F> Scope<F> {
    pub(crate) fn new(ctx: Ctx, future: F) -> Self {
        Scope {
            ctx,
            watch: Watch::default(),
            cover: Cover::NONE,
            covered_by: 0,
            future: Some(future),
        }
    }

    pub(crate) fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// Takes `ctx` in place of its own. Only before it is first polled: nothing waits for its own yet.
    pub(crate) fn begin_under(self: Pin<&mut Self>, ctx: Ctx) {
        *self.project().ctx = ctx;
    }

    /// Why its context ended, where a leaf said that it did.
    #[cold]
    fn end(&self) -> Cancelled {
        self.ctx.cancelled()
    }
}

/// Invariant 5, for the `count` scopes that rely on one that goes, and on the `waker` that it had registered.
fn leave_behind(count: usize, covered: bool, waker: Option<&Waker>) {
    if count > 0 {
        waker.into_iter().for_each(Waker::wake_by_ref);
        if covered {
            current::take_over(count);
        }
    }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    /// # Panics
    ///
    /// When polled after it was ready, as an `async` block does.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        loop {
            let ctx = &*this.ctx;
            let covered = current::covers(ctx, cx.waker());
            let saw_end = if covered { ctx.ended() } else { this.watch.as_mut().ended(ctx) };
            if saw_end {
                ctx.tell();
            }
            // Those that relied on the waker so far rely on the new one as they are polled.
            let moved = !covered && this.cover.count > 0 && this.watch.is_other(cx.waker());
            let relied = if moved { std::mem::replace(this.cover, Cover::NONE).count } else { 0 };
            let polled = current::enter(ctx, Some(cx.waker()), this.cover, || {
                let polled = match this.future.as_mut().as_pin_mut() {
                    Some(future) => future.poll(cx),
                    // As an `async` block does: there is nothing left to give.
                    None => panic!("a `Scope` was polled after it was ready"),
                };
                if polled.is_ready() {
                    this.future.set(None);
                }
                polled
            });
            if this.cover.count < relied {
                this.watch.as_mut().wake();
            }
            if polled.is_ready() {
                current::relies_no_more(*this.covered_by);
                let waker = this.watch.release(ctx);
                leave_behind(this.cover.count, covered, waker.as_ref());
                if this.cover.count > 0 && !covered {
                    cx.waker().wake_by_ref();
                }
                return polled;
            }
            // An end that came during the poll was seen by some leaves at best: once more for the others.
            let ended = if covered {
                current::rely(this.covered_by);
                ctx.ended()
            } else {
                this.watch.as_mut().poll_end(ctx, cx).is_ready()
            };
            if !ended || saw_end {
                return Poll::Pending;
            }
        }
    }
}

impl<F> fmt::Debug for Scope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that runs under a context and ends with it: see [`Ctx::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Run<F> {
        // A run is a scope around one leaf: the leaf is its backstop.
        #[pin]
        scope: Scope<Leaf<F>>,
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut scope = self.project().scope;
        scope.as_mut().poll(cx).map(|output| output.map_err(|_| scope.end()))
    }
}

impl Ctx {
    /// Runs `future` with this context current. The end of the context wakes it, and `#[propagate]` code inside
    /// unwinds; anything else inside goes on. To stop that as well, use [`run`](Ctx::run).
    ///
    /// # Panics
    ///
    /// When it has to wait under a deadline in a runtime without timers (`enable_time`).
    ///
    /// # Cancel safety
    ///
    /// As cancel-safe as `future` is; what it drops, it drops inside the context.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Ctx};
    ///
    /// let ctx = Ctx::background().with_value(7_u8);
    /// assert_eq!(ctx.scope(async { Ctx::current().value::<u8>().copied() }).await, Some(7));
    /// assert!(Ctx::try_current().is_none());
    /// # });
    /// ```
    pub fn scope<F: Awaitable>(&self, future: F) -> Scope<F::Future> {
        Scope::new(self.clone(), future.into_awaited())
    }

    /// Runs `future` with this context current, until it is done or the context has ended.
    ///
    /// At the end `future` is polled once more so that it unwinds. What is pending after that is dropped,
    /// inside the context, unless a [shield](Ctx::shield) is active in it.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] where the context ended first. If it had ended before, `future` was never polled.
    ///
    /// # Panics
    ///
    /// When it has to wait under a deadline in a runtime without timers (`enable_time`).
    ///
    /// # Cancel safety
    ///
    /// As cancel-safe as `future` is.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    ///
    /// let ctx = Ctx::background().with_timeout(Duration::from_millis(5));
    /// let cancelled = ctx.run(std::future::pending::<()>()).await.unwrap_err();
    /// assert!(cancelled.is_deadline());
    /// # });
    /// ```
    pub fn run<F: Awaitable>(&self, future: F) -> Run<F::Future> {
        Run { scope: Scope::new(self.clone(), Leaf::new(future.into_awaited())) }
    }
}
