//! Scopes: futures that run under a context.
//!
//! # Invariants
//! 1. The context is current while the inner future is polled and while it is dropped, and at no other time (3.2.1).
//! 2. While a scope is pending, the end of its context wakes it, whichever task polls it (3.2.2; `wait.rs`).
//! 3. After the end the inner future is polled once more, so that its leaves unwind (3.2.3): also where it comes during
//!    a poll.
//! 4. Before that poll all who wait for the end were told of it, and all calls of their wakers are over: what is inside and
//!    has a waker of its own is then polled too, and not given up before it unwound. Where that is not so for a scope inside,
//!    what is around gives nothing up in that poll either, and is polled once more.
//! 5. A scope that never waits registers nothing.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::cause::{Cancelled, Cause};
use crate::ctx::Ctx;
use crate::end::count::ends;
use crate::fault::{Fault, planted};
use crate::needs_ctx::Awaitable;
use crate::run::current::{self, Found, Kept};
use crate::run::frame::FrameKind;
use crate::run::leaf::Backstop;
use crate::run::wait;
use crate::run::watch::{ObservedKind, Outcome, Watch};

pin_project! {
    /// A future that runs with a context current: see [`Ctx::scope`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Scope<F, B: Begin = Given> {
        // `None` before the first poll of one that takes it from where it is polled
        ctx: Option<Ctx>,
        kept: Kept,
        begin: B,
        #[pin]
        future: Option<F>,
        watch: Watch,
    }

    impl<F, B: Begin> PinnedDrop for Scope<F, B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let mut drops = || this.begin.around(|| this.future.set(None));
                match this.ctx {
                    Some(ctx) => current::borrow(ctx, drops),
                    None => drops(),
                }
            }
        }
    }
}

/// How a scope comes by the context that it runs under. It is a part of the scope and not a future around it, of which rustc
/// follows 128 inside of each other.
pub trait Begin {
    /// Before each poll: at the first one it may set another context.
    fn begin(&mut self, ctx: &mut Option<Ctx>);

    /// Polls or drops what is inside, under the context.
    #[inline]
    fn around<R>(&mut self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// It was given it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given;

impl Begin for Given {
    #[inline]
    fn begin(&mut self, _: &mut Option<Ctx>) {}
}

/// It derives it, at its first poll, from the one that it was given, or else from the current one.
#[derive(Debug)]
pub struct Derived<D>(Option<D>);

impl<D: FnOnce(&Ctx) -> Ctx> Begin for Derived<D> {
    #[inline]
    fn begin(&mut self, ctx: &mut Option<Ctx>) {
        if let Some(derive) = self.0.take() {
            *ctx = Some(match ctx {
                Some(parent) => derive(parent),
                None => derive(&Ctx::current()),
            });
        }
    }
}

impl<F> Scope<F> {
    #[cfg_attr(feature = "observe", track_caller)]
    pub(crate) fn new(ctx: Ctx, future: F, kind: ObservedKind) -> Self {
        let watch = Watch::new(kind, type_name::<F>, Some(&ctx));
        Scope::watched(ctx, future, watch)
    }

    pub(crate) fn watched(ctx: Ctx, future: F, watch: Watch) -> Self {
        Scope::beginning(Some(ctx), Given, future, watch)
    }
}

impl<D> Derived<D> {
    pub(crate) fn by(derive: D) -> Derived<D> {
        Derived(Some(derive))
    }
}

impl<F, D: FnOnce(&Ctx) -> Ctx> Scope<F, Derived<D>> {
    /// Under what `derive` makes of `parent`, or of the current context, once it is polled.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub(crate) fn derived(parent: Option<Ctx>, derive: D, future: F) -> Self {
        Scope::beginning(parent, Derived::by(derive), future, Watch::later(ObservedKind::Body))
    }
}

impl<F, B: Begin> Scope<F, B> {
    #[inline]
    pub(crate) fn beginning(ctx: Option<Ctx>, begin: B, future: F, watch: Watch) -> Self {
        Scope { ctx, kept: Kept::default(), begin, future: Some(future), watch }
    }

    /// Its context, which is there once it was polled.
    pub(crate) fn ctx(&self) -> Option<&Ctx> {
        self.ctx.as_ref()
    }
}

impl<F: Future, B: Begin> Scope<F, B> {
    /// Polls it as a frame of this kind. What came of it is told by `outcome`.
    #[inline]
    pub(crate) fn poll_as(
        self: Pin<&mut Self>,
        kind: FrameKind,
        cx: &mut Context<'_>,
        outcome: impl FnOnce(&F::Output) -> Outcome,
    ) -> Poll<F::Output> {
        let this = self.project();
        this.begin.begin(this.ctx);
        let Some(ctx) = &*this.ctx else { panic!("a scope begins without a context") };
        let (begin, kept, held) = (this.begin, this.kept, this.future);
        let poll = || poll_under(ctx, begin, kept, held, kind, cx);
        this.watch.around(type_name::<F>, Some(ctx), outcome, poll)
    }
}

/// One poll of what a scope holds, and another one where the end came during that.
#[inline]
fn poll_under<F: Future>(
    ctx: &Ctx,
    begin: &mut impl Begin,
    kept: &mut Kept,
    mut held: Pin<&mut Option<F>>,
    kind: FrameKind,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let header = ctx.header();
    let end = header.nearest_end();
    wait::keep_for(&mut kept.registration, cx.waker());
    loop {
        let (asked, covered) = (ends(), current::covers(ctx, cx.waker()));
        let ended = if covered {
            header.ended()
        } else {
            wait::has_ended(header, kept.registration.as_ref())
        };
        let asked = if planted(Fault::LooksFirst) { ends() } else { asked };
        // Invariant 4. Where another thread is not done with it, nothing is given up before it is.
        let seen = ended && (ctx.tell() || planted(Fault::GivesUpBeforeAllAreTold));
        let found = Found { end, covered, ended, seen, asked };
        let polled = current::poll_scope(ctx, cx.waker(), kind, found, kept, || {
            begin.around(|| {
                let polled = match held.as_mut().as_pin_mut() {
                    Some(future) => future.poll(cx),
                    // As an `async` block does: there is nothing left to give.
                    None => panic!("a `Scope` was polled after it was ready"),
                };
                if polled.is_ready() {
                    held.set(None);
                } else if seen && current::is_unsettled() {
                    cx.waker().wake_by_ref(); // invariant 4
                }
                polled
            })
        });
        if polled.is_ready() {
            *kept = Kept::default();
            return polled;
        }
        if ended && !seen {
            cx.waker().wake_by_ref();
            current::unsettle();
            return Poll::Pending;
        }
        // What is registered is told of an end that is not counted, and one with a deadline has a timer to look at.
        let nothing_new = !end.is_set() && asked == ends() && header.deadline().is_none();
        if seen || nothing_new && kept.registration.is_some() {
            return Poll::Pending;
        }
        // Invariant 3.
        if wait::poll_end(ctx, &mut kept.registration, cx).is_pending() {
            return Poll::Pending;
        }
    }
}

impl<F: Future, B: Begin> Future for Scope<F, B> {
    type Output = F::Output;

    /// # Panics
    ///
    /// When polled after it was ready, as an `async` block does.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.poll_as(FrameKind::Scope, cx, |_| Outcome::Ready)
    }
}

impl<F, B: Begin> fmt::Debug for Scope<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

pin_project! {
    /// A future that runs under a context and ends with it: see [`Ctx::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Run<F> {
        #[pin]
        scope: Scope<Backstop<F>>,
    }
}

impl<F: Future> Run<F> {
    pub(crate) fn poll_as(
        self: Pin<&mut Self>,
        kind: FrameKind,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Cancelled>> {
        let mut scope = self.project().scope;
        let polled = scope.as_mut().poll_as(kind, cx, |output| match output {
            Ok(_) => Outcome::Ready,
            Err(why) => why.outcome(),
        });
        polled.map(|output| {
            output.map_err(|_| match scope.ctx() {
                Some(ctx) => ctx.cancelled(),
                None => Cancelled::new(Cause::Cancelled),
            })
        })
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_as(FrameKind::Scope, cx)
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
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn scope<F: Awaitable>(&self, future: F) -> Scope<F::Future> {
        Scope::new(self.clone(), future.into_awaited(), ObservedKind::Scope)
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
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn run<F: Awaitable>(&self, future: F) -> Run<F::Future> {
        let watch = Watch::new(ObservedKind::Run, type_name::<F::Future>, Some(self));
        self.run_watched(future.into_awaited(), watch)
    }

    pub(crate) fn run_watched<F: Future>(&self, future: F, watch: Watch) -> Run<F> {
        Run { scope: Scope::watched(self.clone(), Backstop::new(future), watch) }
    }
}
