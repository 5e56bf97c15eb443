//! OpenTelemetry's current context across a spawn: [`Captured`] is what is taken along, [`carried`] a future that does.
//!
//! # Invariants
//! 1. It is captured where it is asked for, not at the first poll: that is in the task already.
//! 2. It is current while the future is polled and while it is dropped, also when that panics, and at no other time.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context as Waker, Poll};

use ctxprop::Carry;
use opentelemetry::{Context, ContextGuard};
use pin_project_lite::pin_project;

/// The context of OpenTelemetry that was current somewhere, to be made current somewhere else.
///
/// # Examples
///
/// On a thread:
///
/// ```
/// use ctxprop_otel::Captured;
/// use ctxprop_otel::opentelemetry::Context;
///
/// #[derive(Debug, PartialEq)]
/// struct Shop(&'static str);
///
/// let _here = Context::new().with_value(Shop("books")).attach();
/// let captured = Captured::capture();
/// let found = std::thread::spawn(move || {
///     let _entered = captured.enter();
///     Context::map_current(|cx| cx.get::<Shop>().map(|shop| shop.0))
/// });
/// assert_eq!(found.join().unwrap(), Some("books"));
/// ```
#[derive(Clone, Default)]
pub struct Captured(Context);

impl Captured {
    /// What is current here and now.
    #[must_use]
    pub fn capture() -> Self {
        Captured(Context::current())
    }

    /// Makes it current on this thread until the guard goes.
    #[must_use = "it is current as long as the guard is there"]
    pub fn enter(&self) -> ContextGuard {
        self.0.clone().attach()
    }

    /// The context itself.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0
    }
}

/// Under `ctx.carrying::<Captured>()` all tasks take along what is current where they are spawned.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use ctxprop::{Background, Ctx};
/// use ctxprop_otel::Captured;
/// use ctxprop_otel::opentelemetry::Context;
///
/// struct Shop(&'static str);
///
/// // A server's: `CtxLayer::mesh().under(&root)`.
/// let root = Ctx::background().carrying::<Captured>();
/// let task = {
///     let _here = Context::new().with_value(Shop("books")).attach();
///     root.spawn(async { Context::map_current(|cx| cx.get::<Shop>().map(|shop| shop.0)) })
/// };
/// assert_eq!(task.await, Ok(Some("books")));
/// # });
/// ```
impl Carry for Captured {
    fn capture() -> Self {
        Captured::capture()
    }

    fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = Captured::enter(self);
        f()
    }
}

impl From<Context> for Captured {
    fn from(cx: Context) -> Self {
        Captured(cx)
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Captured").field(&self.0).finish()
    }
}

/// A future that has OpenTelemetry's context with it: the one that is current where this is called.
///
/// Spans that are made inside, by `tracing` or by OpenTelemetry's own interface, are then children of the one that was
/// active here.
///
/// # Cancel safety
///
/// That of the future.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use ctxprop::{Background, Ctx};
/// use ctxprop_otel::carried;
/// use ctxprop_otel::opentelemetry::Context;
///
/// struct Shop(&'static str);
///
/// async fn shop() -> Option<&'static str> {
///     Context::map_current(|cx| cx.get::<Shop>().map(|shop| shop.0))
/// }
///
/// let ctx = Ctx::background();
/// let (without, with) = {
///     let _here = Context::new().with_value(Shop("books")).attach();
///     (ctx.spawn(shop()), ctx.spawn(carried(shop())))
/// };
/// assert_eq!(without.await, Ok(None));
/// assert_eq!(with.await, Ok(Some("books")));
/// # });
/// ```
pub fn carried<F: IntoFuture>(future: F) -> Carried<F::IntoFuture> {
    Carried { captured: Captured::capture(), future: Some(future.into_future()) }
}

pin_project! {
    /// The future of [`carried`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Carried<F> {
        captured: Captured,
        // `None` once it is ready
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Carried<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.captured.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    /// # Panics
    ///
    /// When polled after it was ready, as an `async` block does.
    fn poll(self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = this.captured.enter();
        let polled = match this.future.as_mut().as_pin_mut() {
            Some(future) => future.poll(waker),
            None => panic!("a future was polled after it was ready"),
        };
        if polled.is_ready() {
            this.future.set(None);
        }
        polled
    }
}

impl<F: fmt::Debug> fmt::Debug for Carried<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("future", &self.future).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use ctxprop::{Background, Ctx};

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Name(u8);

    fn name() -> Option<u8> {
        Context::map_current(|cx| cx.get::<Name>().map(|name| name.0))
    }

    struct TellsWhenDropped(std::sync::mpsc::Sender<Option<u8>>);

    impl Drop for TellsWhenDropped {
        fn drop(&mut self) {
            self.0.send(name()).unwrap();
        }
    }

    #[tokio::test]
    async fn it_is_there_in_each_poll_and_gone_between_them() {
        let ctx = Ctx::background();
        let future = {
            let _here = Context::new().with_value(Name(1)).attach();
            carried(async {
                assert_eq!(name(), Some(1));
                tokio::task::yield_now().await;
                let inner = carried(async { name() });
                let _nested = async { name() }.await;
                assert_eq!(inner.await, Some(1));
                name()
            })
        };
        assert_eq!(name(), None);
        assert_eq!(ctx.spawn(future).await, Ok(Some(1)));
        assert_eq!(name(), None);
    }

    #[tokio::test]
    async fn it_is_there_where_the_future_is_dropped() {
        let (tell, told) = std::sync::mpsc::channel();
        let (ctx, canceller) = Ctx::background().with_cancel();
        let task = {
            let _here = Context::new().with_value(Name(2)).attach();
            let guard = TellsWhenDropped(tell);
            ctx.spawn(carried(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            }))
        };
        tokio::task::yield_now().await;
        canceller.cancel();
        assert!(task.await.is_err());
        assert_eq!(told.recv(), Ok(Some(2)));
    }

    #[tokio::test]
    async fn a_context_has_its_tasks_carry_it() {
        let ctx = Ctx::background().carrying::<Captured>();
        let (task, set) = {
            let _here = Context::new().with_value(Name(4)).attach();
            let mut set = ctx.task_set();
            set.spawn(async { name() });
            let inner = ctx.child_span();
            (ctx.spawn(async move { (name(), inner.spawn(async { name() }).await) }), set)
        };
        assert_eq!(task.await, Ok((Some(4), Ok(Some(4)))));
        let mut set = set;
        assert_eq!(set.join_next().await.map(|joined| joined.ok()), Some(Some(Some(4))));
        assert_eq!(name(), None);
        let panicking = {
            let _here = Context::new().with_value(Name(5)).attach();
            ctx.spawn(async { panic!("on purpose") })
        };
        let caught = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(async {
            let _: Result<(), _> = panicking.await;
        }));
        assert!(caught.await.is_err());
        assert_eq!(name(), None, "a panic takes it away again");
    }

    #[test]
    fn a_panic_takes_it_away_again() {
        let captured = Captured::from(Context::new().with_value(Name(3)));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _entered = captured.enter();
            assert_eq!(name(), Some(3));
            panic!("inside");
        }));
        assert!(panicked.is_err());
        assert_eq!(name(), None);
    }
}
