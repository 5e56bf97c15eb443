//! Shields: work that runs to completion although its context has ended. [`Ctx::shield`].
//!
//! The end of a context drops what is pending, and must not drop what holds an active shield. So a shield that stays
//! pending holds the frames around it (`frame.rs`), which every leaf looks at before it gives up.
//!
//! # Invariants
//! 1. A shield is active from its first pending poll until it is done, dropped or out of time (3.2.41).
//! 2. It holds all frames around any of its polls: one that moves holds what it moves to (3.2.42).

use std::any::type_name;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::cause::{Cancelled, Cause};
use crate::context::deadline::Deadline;
use crate::context::header::Additions;
use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;
use crate::run::frame::{self, FrameKind, Held, Holding};
use crate::run::scope::Run;
use crate::run::watch::{ObservedKind, Watch, outcome};

/// Work that runs to completion although its context has ended: see [`Ctx::shield`]. It starts when it is
/// awaited.
#[derive(Debug)]
#[must_use = "a shield does nothing unless awaited"]
pub struct Shield<F> {
    parent: Ctx,
    limit: Duration,
    future: F,
    watch: Watch,
}

impl<F: Future> IntoFuture for Shield<F> {
    type Output = Result<F::Output, Cancelled>;
    type IntoFuture = Shielding<F>;

    #[cfg_attr(feature = "observe", track_caller)]
    fn into_future(self) -> Shielding<F> {
        let deadline = Deadline::after(self.limit);
        let add = Additions { cancellable: true, deadline, ..Additions::default() };
        let ctx = self.parent.detached_child(add, "shield");
        let work = ctx.run_watched(self.future, Watch::none());
        Shielding { work, holding: Holding::default(), ctx, watch: self.watch }
    }
}

pin_project! {
    /// The future of a [`Shield`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Shielding<F> {
        ctx: Ctx,
        holding: Holding,
        #[pin]
        work: Run<F>,
        watch: Watch,
    }

    impl<F> PinnedDrop for Shielding<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            over(this.ctx, this.holding);
        }
    }
}

/// The shield among those that hold a frame.
fn held(ctx: &Ctx) -> impl Fn() -> Held {
    // A limit that no clock can tell is none.
    let far = || Instant::now() + Duration::from_secs(86_400 * 365);
    move || (ctx.deadline().unwrap_or_else(far), std::ptr::from_ref(ctx.header()).addr())
}

fn over(ctx: &Ctx, holding: &mut Holding) {
    ctx.end_with(&Cause::Finished);
    holding.release();
}

impl<F: Future> Future for Shielding<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polling = this.watch.polls(type_name::<F>, Some(this.ctx));
        let polled = this.work.poll_as(FrameKind::Shield, cx);
        match &polled {
            Poll::Ready(_) => over(this.ctx, this.holding),
            Poll::Pending => frame::hold(this.holding, held(this.ctx)),
        }
        polling.ends(outcome(&polled));
        polled
    }
}

impl Ctx {
    /// Runs `work` to completion although this context has ended or ends meanwhile, for at most `limit` from
    /// the moment it is awaited: to release what was reserved, to write what must be written.
    ///
    /// Awaiting it is no cancellation point, and everything around it waits for it: no leaf, [`run`](Ctx::run),
    /// task or server layer gives up a future that has an active shield inside. `work` runs under a context of its
    /// own, with the values, the span and the baggage of this one and `limit` as its deadline.
    ///
    /// It is known to what polls it. A shield in another task keeps that task, and not who waits for it: a task of
    /// [`spawn`](Ctx::spawn) goes on then, and those of a `JoinSet` are aborted with the set.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] with [`Cause::DeadlineExceeded`] when `limit` has passed; `work` was then given the
    /// chance to unwind, and dropped.
    ///
    /// # Panics
    ///
    /// When it has to wait in a runtime without timers (`enable_time`).
    ///
    /// # Cancel safety
    ///
    /// It protects from the end of the context only. Who drops it by hand, or in a `timeout` or `select!` of a
    /// function without `#[propagate]`, drops `work`.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (ctx, canceller) = Ctx::background().with_cancel();
    /// canceller.cancel();
    /// let released = ctx.shield(Duration::from_secs(2), async {
    ///     tokio::task::yield_now().await;
    ///     "released"
    /// });
    /// assert_eq!(released.await, Ok("released"));
    /// # });
    /// ```
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn shield<F: Awaitable>(&self, limit: Duration, work: F) -> Shield<F::Future> {
        let watch = Watch::new(ObservedKind::Shield, type_name::<F::Future>, Some(self));
        Shield { parent: self.clone(), limit, future: work.into_awaited(), watch }
    }
}
