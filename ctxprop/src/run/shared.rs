//! Work that several requests wait for and none of them owns: [`Ctx::shared`].
//!
//! # Invariants
//! 1. The work runs under a context of its own, which no waiter's end reaches; each waiter ends at its own end.
//! 2. Its first poll is in place, so that what is ready at once, such as a value that is cached, costs no task. It is polled
//!    apart from the scopes and frames of who asked: a shield in there does not hold who waits.
//! 3. What is pending after that goes on as a task, whether or not somebody waits.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::cause::Cancelled;
use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;
use crate::run::current;
use crate::run::scope::Run;
use crate::run::task::Task;
use crate::run::watch::{ObservedKind, Watch};

/// Work that others may wait for too: see [`Ctx::shared`]. It begins when it is awaited.
#[must_use = "shared work does nothing unless awaited"]
pub struct Shared<T> {
    /// Invariant 1: the waiter's own context, around the waiting alone.
    waiting: Run<Work<T>>,
}

impl<T: Send + 'static> Future for Shared<T> {
    type Output = Result<T, Cancelled>;

    /// # Panics
    ///
    /// With the panic of the work, if it panicked.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The waiter's own end, or what the work gave.
        Pin::new(&mut self.waiting).poll(cx).map(|waited| waited?)
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Cancelled>> + Send>>;

/// The work, before its first poll and after.
enum Work<T> {
    New { ctx: Ctx, spawned_at: &'static Location<'static>, work: Boxed<T> },
    Goes(Task<T>),
    Over,
}

impl<T: Send + 'static> Future for Work<T> {
    type Output = Result<T, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // While it is polled it is over: a panic leaves nothing to be polled again.
        match std::mem::replace(&mut *self, Work::Over) {
            Work::New { ctx, spawned_at, mut work } => {
                if let Poll::Ready(output) = current::apart(|| work.as_mut().poll(cx)) {
                    return Poll::Ready(output);
                }
                let mut task = ctx.spawn_made(work, spawned_at);
                let polled = Pin::new(&mut task).poll(cx);
                if polled.is_pending() {
                    *self = Work::Goes(task);
                }
                polled
            }
            Work::Goes(mut task) => {
                let polled = Pin::new(&mut task).poll(cx);
                if polled.is_pending() {
                    *self = Work::Goes(task);
                }
                polled
            }
            Work::Over => panic!("a `Shared` was polled after it was ready"),
        }
    }
}

impl Ctx {
    /// Runs `work` for whoever waits for it, as what fills a cache: it belongs to nobody in particular, so nobody's end ends
    /// it. The right thing around single flight, moka's `try_get_with` or tokio's `OnceCell`.
    ///
    /// `work` runs under a context of its own, with the values, the span and the baggage of this one. It ends after `limit`;
    /// that of a request ends with its server too ([`detach_until_shutdown`](Ctx::detach_until_shutdown)). Where it does not give its value
    /// at once it goes on as a task, also when whoever asked has left. The one who waits here does so for as long as *this*
    /// context lives, and no longer.
    ///
    /// Give it the whole of the flight, and not the computation alone: in `cache.try_get_with(key, ctx.shared(..))` the cache
    /// would forget the flight as the first who asked leaves. `reason` is told of a task that does not end.
    ///
    /// # Errors
    ///
    /// [`Cancelled`]: the end of this context; or that of the work, whose limit has passed, or whose server shuts down.
    /// Where this context had ended before, the work does not begin.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, where it has to wait. A panic of the work resumes in those who wait for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the work running, once it has begun.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use ctxprop::{Background, Cancelled, Ctx, propagate};
    /// use tokio::sync::OnceCell;
    ///
    /// #[propagate]
    /// async fn load() -> Result<u64, Cancelled> {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     Ok(100)
    /// }
    ///
    /// #[propagate]
    /// async fn price(ctx: Ctx, cell: Arc<OnceCell<u64>>) -> Result<u64, Cancelled> {
    ///     let flight = async move { cell.get_or_try_init(|| load().in_current()).await.copied() };
    ///     ctx.shared("the price list is everybody's", Duration::from_secs(5), flight).await?
    /// }
    ///
    /// let cell = Arc::new(OnceCell::new());
    /// let (hurried, patient) = (Ctx::background().with_timeout(Duration::from_millis(10)), Ctx::background());
    /// let (one, other) = tokio::join!(price(hurried, Arc::clone(&cell)), price(patient, cell));
    /// assert!(one.unwrap_err().is_deadline());
    /// assert_eq!(other, Ok(100)); // not the end of the one who came first
    /// # });
    /// ```
    #[track_caller]
    pub fn shared<F>(&self, reason: &'static str, limit: Duration, work: F) -> Shared<F::Output>
    where
        F: Awaitable,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        let ctx = self.detach_shared(reason).with_timeout(limit);
        let watch = Watch::new(ObservedKind::Task, type_name::<F::Future>, Some(&ctx));
        let work = Box::pin(ctx.in_task(work, watch));
        let work = Work::New { ctx, spawned_at: Location::caller(), work };
        Shared { waiting: self.run(work) }
    }
}
