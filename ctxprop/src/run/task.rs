//! Tasks under a context: [`Ctx::spawn`], [`Ctx::spawn_blocking`] and [`Ctx::idle`].
//!
//! # Invariants
//! 1. The context is captured before the task is spawned, not at its first poll.
//! 2. Every task is tracked by the root of its context, also one that was detached.
//! 3. It runs in the `tracing` span that was current where it was spawned, so that the trace id is on each line.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Span;
use tracing::instrument::{Instrument, Instrumented};

use crate::cause::{Cancelled, Cause};
use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;
use crate::run::carry::{Carried, WithCarried};
use crate::run::listed::{OnTheList, Tracked};
use crate::run::scope::Run;
use crate::run::watch::{ObservedKind, Watch};

/// What a task runs.
pub(crate) type InTask<F> = Instrumented<WithCarried<Run<F>>>;

/// A spawned task: a future that gives the task's output, or [`Cancelled`] where its context ended first.
///
/// See [`Ctx::spawn`] and [`Ctx::spawn_blocking`] for examples.
///
/// # Cancel safety
///
/// Dropping it leaves the task running: the context ends it.
pub struct Task<T> {
    handle: JoinHandle<Result<T, Cancelled>>,
}

impl<T> Task<T> {
    /// Drops the task at its next await, without unwinding and with its shields, unless it is done. Awaiting it then
    /// gives [`Cancelled`] with [`Cause::Cancelled`]. Of blocking code it stops only what has not begun.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Whether the task is over.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Cancelled>;

    /// # Panics
    ///
    /// With the panic of the task, if it panicked.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(cx).map(|joined| match joined {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Aborted, or dropped by a runtime that is shutting down.
                Err(_) => Err(Cancelled::new(Cause::Cancelled)),
            },
        })
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("finished", &self.is_finished()).finish()
    }
}

impl Ctx {
    /// Spawns `future` as a task under this context. It ends with the context, as with [`run`](Ctx::run), and
    /// is tracked by the context's root: see [`idle`](Ctx::idle).
    ///
    /// Work that is to outlive the request says so: `ctx.detach("why").with_timeout(limit).spawn(future)`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime. A panic of the task resumes where the [`Task`] is awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Cause, Ctx};
    ///
    /// let (ctx, canceller) = Ctx::background().with_cancel();
    /// let answer = ctx.spawn(async { 42 });
    /// let never = ctx.spawn(std::future::pending::<()>());
    /// assert_eq!(answer.await, Ok(42));
    /// canceller.cancel();
    /// assert_eq!(never.await.unwrap_err().cause(), &Cause::Cancelled);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Awaitable,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        let watch = Watch::new(ObservedKind::Task, type_name::<F::Future>, Some(self));
        self.spawn_made(self.in_task(future, watch), Location::caller())
    }

    /// As [`spawn`](Ctx::spawn), on a [`LocalSet`](tokio::task::LocalSet): `future` need not be `Send`.
    ///
    /// # Panics
    ///
    /// Outside of a `LocalSet`. A panic of the task resumes where the [`Task`] is awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use std::rc::Rc;
    /// use ctxprop::{Background, Ctx};
    ///
    /// let local = tokio::task::LocalSet::new();
    /// let task = local.run_until(async {
    ///     let shared = Rc::new(42);
    ///     Ctx::background().spawn_local(async move { *shared }).await
    /// });
    /// assert_eq!(task.await, Ok(42));
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> Task<F::Output>
    where
        F: Awaitable,
        F::Future: 'static,
        F::Output: 'static,
    {
        let watch = Watch::new(ObservedKind::Task, type_name::<F::Future>, Some(self));
        let task = Tracked::new(self, Location::caller(), self.in_task(future, watch));
        Task { handle: tokio::task::spawn_local(task) }
    }

    /// The same on a runtime that need not be the current one. `spawned_at` is the place that the task is known by.
    pub(crate) fn spawn_on<F>(
        &self,
        future: F,
        runtime: &Handle,
        spawned_at: &'static Location<'static>,
        watch: Watch,
    ) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = Tracked::new(self, spawned_at, self.in_task(future, watch));
        Task { handle: runtime.spawn(task) }
    }

    /// Spawns what [`in_task`](Ctx::in_task) made.
    #[track_caller]
    pub(crate) fn spawn_made<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, Cancelled>> + Send + 'static,
        spawned_at: &'static Location<'static>,
    ) -> Task<T> {
        Task { handle: tokio::spawn(Tracked::new(self, spawned_at, task)) }
    }

    /// What a task runs: in the `tracing` span, and with what else is carried, of the place where it is spawned.
    pub(crate) fn in_task<F: Awaitable>(&self, future: F, watch: Watch) -> InTask<F::Future> {
        let run = self.run_watched(future.into_awaited(), watch);
        WithCarried::new(self, run).in_current_span()
    }

    /// The same, tracked by the root, for a set of tasks.
    #[cfg_attr(feature = "observe", track_caller)]
    pub(crate) fn as_task<F: Future>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> impl Future<Output = Result<F::Output, Cancelled>> + use<F> {
        let watch = Watch::new(ObservedKind::Task, type_name::<F>, Some(self));
        Tracked::new(self, spawned_at, self.in_task(future, watch))
    }

    /// Runs blocking code on tokio's threads for that, with this context current and given to `f`, which
    /// asks `ctx.check()?` now and then: blocking code cannot be interrupted from outside.
    ///
    /// The task gives [`Cancelled`] where the context had ended before a thread was free, and `f` never ran.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime. A panic of `f` resumes where the [`Task`] is awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Cancelled, Ctx};
    ///
    /// let sum = Ctx::background().spawn_blocking(|ctx| {
    ///     let mut sum = 0_u64;
    ///     for n in 1..=1_000 {
    ///         ctx.check()?;
    ///         sum += n;
    ///     }
    ///     Ok::<_, Cancelled>(sum)
    /// });
    /// assert_eq!(sum.await, Ok(Ok(500_500)));
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, f: F) -> Task<T>
    where
        F: FnOnce(Ctx) -> T + Send + 'static,
        T: Send + 'static,
    {
        let ctx = self.clone();
        let (span, carried) = (Span::current(), Carried::of(self));
        let listed = OnTheList::new(self, Location::caller());
        let watch = Watch::new(ObservedKind::Blocking, type_name::<F>, Some(self));
        let run = move || {
            let _until_it_is_done = (listed, watch);
            ctx.check()?;
            Ok(span.in_scope(|| carried.enter(|| ctx.sync_scope(|| f(ctx.clone())))))
        };
        Task { handle: tokio::task::spawn_blocking(run) }
    }

    /// How many tasks of this context's root are left: what [`idle`](Ctx::idle) waits for. Which they are tells
    /// [`list_tasks`](Ctx::list_tasks).
    pub fn live_tasks(&self) -> usize {
        self.known_tasks().map_or(0, |tasks| tasks.tracker().len())
    }

    /// Waits until no task of this context's root is left: those that were spawned under any context of
    /// the same tree, attached or detached, and handlers that still unwind.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Ctx};
    ///
    /// let root = Ctx::background();
    /// let (request, canceller) = root.with_cancel();
    /// let task = request.spawn(std::future::pending::<()>());
    /// canceller.cancel();
    /// root.idle().await;
    /// assert!(task.is_finished());
    /// # });
    /// ```
    pub async fn idle(&self) {
        if let Some(tasks) = self.known_tasks() {
            tasks.tracker().wait().await;
        }
    }
}
