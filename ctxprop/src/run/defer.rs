//! Deferred work: [`Ctx::defer`], for compensation that must not depend on anyone polling.
//!
//! # Invariants
//! 1. The runtime is captured where the work is deferred: a drop may come anywhere, also in a thread of no runtime.
//! 2. The work is spawned once, or not at all where it was taken back.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::runtime::Handle;
use tracing::Span;

use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;
use crate::run::watch::{ObservedKind, Watch};

/// Work that is done when this is dropped: see [`Ctx::defer`].
#[must_use = "what is not held is done at once"]
pub struct Deferred<F: Future<Output: Send + 'static> + Send + 'static> {
    ctx: Ctx,
    limit: Duration,
    runtime: Handle,
    span: Span,
    deferred_at: &'static Location<'static>,
    work: Option<F>,
    watch: Watch,
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Deferred<F> {
    /// Takes the work back: it is not done.
    pub fn disarm(mut self) {
        self.work = None;
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Drop for Deferred<F> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let ctx = self.ctx.detach("deferred").with_timeout(self.limit);
            let watch = self.watch.like(ObservedKind::Task, type_name::<F>, Some(&ctx));
            let (runtime, at) = (&self.runtime, self.deferred_at);
            self.span.in_scope(|| drop(ctx.spawn_on(work, runtime, at, watch)));
        }
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> fmt::Debug for Deferred<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let armed = self.work.is_some();
        f.debug_struct("Deferred")
            .field("limit", &self.limit)
            .field("armed", &armed)
            .finish_non_exhaustive()
    }
}

impl Ctx {
    /// Has `work` done when the guard is dropped, however that comes about: the function returns or unwinds, panics, or is
    /// dropped in the middle by a `timeout` of somebody else. It then runs as a task, for at most `limit`, under a
    /// context that keeps the values, the span and the baggage of this one and outlives it;
    /// [`idle`](Ctx::idle) of the root waits for it. [`Deferred::disarm`] takes it back.
    ///
    /// A [`shield`](Ctx::shield) is awaited where it stands, and gives a value; it is lost with the future that awaits it. This
    /// is for what must be undone even then.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime. What is dropped after its runtime was shut down is not done any more.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    ///
    /// static RESERVED: AtomicU32 = AtomicU32::new(0);
    ///
    /// async fn release() {
    ///     RESERVED.fetch_sub(1, Ordering::Relaxed);
    /// }
    ///
    /// let root = Ctx::background();
    /// let order = async {
    ///     RESERVED.fetch_add(1, Ordering::Relaxed);
    ///     let reserved = root.defer(Duration::from_secs(2), release());
    ///     std::future::pending::<()>().await;
    ///     reserved.disarm(); // paid: it is not to be released
    /// };
    /// // Somebody else drops it in the middle.
    /// let _ = tokio::time::timeout(Duration::from_millis(1), order).await;
    /// root.idle().await;
    /// assert_eq!(RESERVED.load(Ordering::Relaxed), 0);
    /// # });
    /// ```
    #[track_caller]
    pub fn defer<F>(&self, limit: Duration, work: F) -> Deferred<F::Future>
    where
        F: Awaitable,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        let (ctx, runtime, span) = (self.clone(), Handle::current(), Span::current());
        let (deferred_at, work) = (Location::caller(), Some(work.into_awaited()));
        let watch = Watch::new(ObservedKind::Deferred, type_name::<F::Future>, Some(self));
        Deferred { ctx, limit, runtime, span, deferred_at, work, watch }
    }
}
