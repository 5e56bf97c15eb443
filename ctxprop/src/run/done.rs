//! [`Ctx::done`]: a future that is ready at the end. How it waits is `wait.rs`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::cause::Cause;
use crate::ctx::Ctx;
use crate::run::wait::{self, Registration};

/// The future of [`Ctx::done`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Done {
    ctx: Ctx,
    waiting: Option<Arc<Registration>>,
}

impl Future for Done {
    type Output = Cause;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let Done { ctx, waiting } = self.get_mut();
        wait::keep_for(waiting, cx.waker());
        if !wait::has_ended(ctx.header(), waiting.as_ref())
            && wait::poll_end(ctx, waiting, cx).is_pending()
        {
            return Poll::Pending;
        }
        match ctx.cause() {
            Some(cause) => {
                *waiting = None;
                Poll::Ready(cause)
            }
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
    pub fn done(&self) -> Done {
        Done { ctx: self.clone(), waiting: None }
    }
}
