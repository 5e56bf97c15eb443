//! [`TaskSet`]: tasks that belong together, as in a `JoinSet`, under one context.
//!
//! # Invariants
//! 1. The tasks run under a child of the context that the set was made of, which ends when the set is dropped: they unwind
//!    then, and are not aborted.
//! 2. Whoever waits for a task after the end waits until it has unwound, and its shields are done: a pending
//!    [`TaskSet::join_next`] holds the frames around it as a shield does (`frame.rs`).

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cause::{Cancelled, Cause};
use crate::context::canceller::Canceller;
use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;
use crate::run::frame::{self, Holding};

/// Tasks under one context, whose outputs come in the order in which they are done: see [`Ctx::task_set`].
pub struct TaskSet<T: 'static> {
    ctx: Ctx,
    canceller: Canceller,
    tasks: JoinSet<Result<T, Cancelled>>,
}

impl<T: Send + 'static> TaskSet<T> {
    /// Spawns a future, or the call of a `#[propagate]` function, as [`Ctx::spawn`] does.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F)
    where
        F: Awaitable<Output = T>,
        F::Future: Send + 'static,
    {
        let task = self.ctx.as_task(future.into_awaited(), Location::caller());
        self.tasks.spawn(task);
    }

    /// The output of the next task that is done; `None` where none is left.
    ///
    /// # Errors
    ///
    /// A task whose context ended first gives [`Cancelled`].
    ///
    /// # Panics
    ///
    /// With the panic of a task that panicked.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again at any time: no output is lost.
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext { set: self, holding: Holding::default() }
    }
}

impl<T: 'static> TaskSet<T> {
    /// How many tasks are left whose outputs were not taken.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Ends all tasks: they unwind, and give [`Cancelled`].
    pub fn cancel(&self) {
        self.canceller.cancel();
    }
}

impl<T: 'static> Drop for TaskSet<T> {
    fn drop(&mut self) {
        // Invariant 1. The root waits for them.
        self.canceller.cancel();
        self.tasks.detach_all();
    }
}

impl<T: 'static> fmt::Debug for TaskSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The future of [`TaskSet::join_next`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct JoinNext<'a, T: 'static> {
    set: &'a mut TaskSet<T>,
    holding: Holding,
}

impl<T: 'static> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, Cancelled>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Poll::Ready(next) = this.set.tasks.poll_join_next(cx) else {
            if this.set.ctx.ended() {
                // Until they have unwound, which their own limits bound.
                let (far, id) =
                    (Duration::from_secs(365 * 86_400), std::ptr::from_ref(this.set).addr());
                frame::hold(&mut this.holding, || (Instant::now() + far, id));
            }
            return Poll::Pending;
        };
        this.holding.release();
        Poll::Ready(next.map(|joined| match joined {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Cancelled::new(Cause::Cancelled)),
            },
        }))
    }
}

impl<T: 'static> Drop for JoinNext<'_, T> {
    fn drop(&mut self) {
        self.holding.release();
    }
}

impl Ctx {
    /// A set of tasks under this context: the `JoinSet` of a `#[propagate]` function.
    ///
    /// The tasks end with this context, or when the set is dropped: they unwind then, their shields complete, and
    /// [`idle`](Ctx::idle) of the root waits for them. Whoever waits in [`TaskSet::join_next`] after the end waits for that
    /// too.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Cancelled, Ctx, propagate};
    ///
    /// #[propagate]
    /// async fn price(id: u64) -> Result<u64, Cancelled> {
    ///     Ok(id * 100)
    /// }
    ///
    /// #[propagate]
    /// async fn total(ids: Vec<u64>) -> Result<u64, Cancelled> {
    ///     let mut prices = Ctx::current().task_set();
    ///     for id in ids {
    ///         prices.spawn(price(id));
    ///     }
    ///     let mut total = 0;
    ///     while let Some(price) = prices.join_next().await {
    ///         total += price??;
    ///     }
    ///     Ok(total)
    /// }
    ///
    /// assert_eq!(total(vec![1, 2, 3]).with(&Ctx::background()).await, Ok(600));
    /// # });
    /// ```
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn task_set<T: Send + 'static>(&self) -> TaskSet<T> {
        let (ctx, canceller) = self.with_cancel();
        TaskSet { ctx, canceller, tasks: JoinSet::new() }
    }
}
