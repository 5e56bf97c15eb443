//! Shields: work that runs to completion although its context has ended. [`Ctx::shield`].
//!
//! The end of a context drops what is pending, and must not drop what holds an active shield. Whoever may
//! drop something keeps a [`Seen`]: all shields that were pending in a poll of it. How they hear of each other:
//! a shield that is polled and stays pending puts itself on a list of this thread, and what encloses it
//! reads the list's new end after its own poll.
//!
//! # Invariants
//! 1. A shield is active from its first pending poll until it is done, dropped or out of time; its context
//!    has ended exactly when it is not.
//! 2. `Seen` remembers shields across polls, since a poll need not reach every pending future inside
//!    (`FuturesUnordered` polls what was woken).
//! 3. The list is empty whenever no scope is being polled: it keeps nothing alive.

use std::cell::{Cell, RefCell};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::cancel;
use crate::cause::{Cancelled, Cause};
use crate::ctx::Ctx;
use crate::ctx::node::Additions;
use crate::deadline::Deadline;
use crate::needs_ctx::Awaitable;
use crate::scope::Run;

thread_local! {
    /// The shields found pending since the outermost scope on this thread was entered.
    static PENDING: RefCell<Vec<Ctx>> = const { RefCell::new(Vec::new()) };
    /// Its length: apart, because reading it is all that most polls do.
    static MARK: Cell<usize> = const { Cell::new(0) };
}

/// Where the list of pending shields ends now.
#[inline]
pub(crate) fn mark() -> usize {
    MARK.get()
}

fn report(shield: &Ctx) {
    let _ = PENDING.try_with(|pending| {
        let mut pending = pending.borrow_mut();
        pending.push(shield.clone());
        MARK.set(pending.len());
    });
}

/// Empties the list (invariant 3).
pub(crate) fn leave_outermost_scope() {
    if MARK.get() != 0 {
        MARK.set(0);
        let list = PENDING.try_with(|pending| std::mem::take(&mut *pending.borrow_mut()));
        drop(list);
    }
}

/// The shields that were seen pending inside a future.
#[derive(Debug, Default)]
#[allow(clippy::box_collection, reason = "one word in every leaf, not three, and hardly ever used")]
pub(crate) struct Seen(Option<Box<Vec<Ctx>>>);

impl Seen {
    /// Adds those that were reported since `mark` was taken.
    #[inline]
    pub(crate) fn remember_since(&mut self, mark: usize) {
        if MARK.get() != mark {
            self.add(mark);
        }
    }

    #[cold]
    fn add(&mut self, mark: usize) {
        let _ = PENDING.try_with(|pending| {
            let seen = self.0.get_or_insert_default();
            seen.retain(|shield| !shield.ended());
            for shield in pending.borrow().iter().skip(mark) {
                if !seen.iter().any(|known| Arc::ptr_eq(known.node(), shield.node())) {
                    seen.push(shield.clone());
                }
            }
        });
    }

    /// Whether one of them is active.
    #[inline]
    pub(crate) fn any_active(&self) -> bool {
        self.0.as_ref().is_some_and(|seen| seen.iter().any(|shield| !shield.ended()))
    }
}

/// Work that runs to completion although its context has ended: see [`Ctx::shield`]. It starts when it is
/// awaited.
#[derive(Debug)]
#[must_use = "a shield does nothing unless awaited"]
pub struct Shield<F> {
    parent: Ctx,
    limit: Duration,
    future: F,
}

impl<F: Future> IntoFuture for Shield<F> {
    type Output = Result<F::Output, Cancelled>;
    type IntoFuture = Shielding<F>;

    fn into_future(self) -> Shielding<F> {
        let ctx = self.parent.child(Additions {
            cancellable: true,
            deadline: Deadline::after(self.limit),
            detached: Some("shield"),
            ..Additions::default()
        });
        Shielding { work: ctx.run(self.future), ctx }
    }
}

pin_project! {
    /// The future of a [`Shield`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Shielding<F> {
        ctx: Ctx,
        #[pin]
        work: Run<F>,
    }

    impl<F> PinnedDrop for Shielding<F> {
        fn drop(this: Pin<&mut Self>) {
            cancel::end(this.ctx.node(), &Cause::Finished);
        }
    }
}

impl<F: Future> Future for Shielding<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.work.poll(cx);
        match &polled {
            Poll::Ready(_) => cancel::end(this.ctx.node(), &Cause::Finished),
            Poll::Pending => report(this.ctx),
        }
        polled
    }
}

impl Ctx {
    /// Runs `work` to completion although this context has ended or ends meanwhile, for at most `limit` from
    /// the moment it is awaited: to release what was reserved, to write what must be written.
    ///
    /// Awaiting it is no cancellation point, and everything around it waits for it: no scope, task or
    /// server layer drops a future that has an active shield inside. `work` runs under a context of its own,
    /// with the values, the span and the baggage of this one and `limit` as its deadline.
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
    pub fn shield<F: Awaitable>(&self, limit: Duration, work: F) -> Shield<F::Future> {
        Shield { parent: self.clone(), limit, future: work.into_awaited() }
    }
}
