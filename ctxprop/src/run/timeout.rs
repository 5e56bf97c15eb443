//! [`Ctx::timeout`]: work that may take so long, and no longer than what is left.

use std::time::Duration;

use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;
use crate::run::scope::Run;

impl Ctx {
    /// Runs `future` for at most `timeout`, or as long as this context lasts: `ctx.with_timeout(timeout).run(future)`.
    ///
    /// In place of `tokio::time::timeout`, which knows nothing of the budget, and drops what it cuts short without letting
    /// it unwind.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::Cancelled) where the time passed or this context ended first.
    ///
    /// # Panics
    ///
    /// When it has to wait in a runtime without timers (`enable_time`).
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
    /// let ctx = Ctx::background();
    /// let late = ctx.timeout(Duration::from_millis(5), std::future::pending::<()>()).await;
    /// assert!(late.unwrap_err().is_deadline() && !ctx.is_done());
    /// # });
    /// ```
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn timeout<F: Awaitable>(&self, timeout: Duration, future: F) -> Run<F::Future> {
        self.with_timeout(timeout).run(future)
    }
}
