//! The awaits of a function that binds the name of its context anew: `let ctx = ctx.with_timeout(limit);`. What the name means
//! is what they run under, and whose end they see.
//!
//! By type: [`Name::context_or`], and [`Name::bound_or`] in closures, are inherent for contexts, and give what went before for all else, so that a `ctx` of another
//! type stays what it is.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{Bound, Captured, How, PlainAwaits, Unraced, Unwinds};
use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;
use crate::run::frame;
use crate::run::leaf::{Ended, Leaf, Why};
use crate::run::scope::Scope;
use crate::run::watch::{ObservedKind, Watch};

/// What the name of the context was bound to.
#[derive(Debug)]
pub struct Name<'a, T: ?Sized>(pub &'a T);

impl Name<'_, Ctx> {
    #[inline]
    pub fn context_or<C: Captured>(self, before: &C) -> C {
        before.bound_to(self.0.clone())
    }

    #[inline]
    pub fn bound_or(self, _before: &impl Captured) -> Bound {
        Bound(self.0.clone())
    }
}

impl Name<'_, &Ctx> {
    #[inline]
    pub fn context_or<C: Captured>(self, before: &C) -> C {
        before.bound_to((*self.0).clone())
    }

    #[inline]
    pub fn bound_or(self, _before: &impl Captured) -> Bound {
        Bound((*self.0).clone())
    }
}

/// The answer for whatever else has that name.
pub trait OtherName: Sized {
    #[inline]
    fn context_or<C: Captured>(self, before: &C) -> C {
        before.clone()
    }

    #[inline]
    fn bound_or(self, before: &impl Captured) -> Bound {
        Bound(before.where_called())
    }
}

impl<T: ?Sized> OtherName for Name<'_, T> {}

/// What is awaited as a scope of `ctx`.
#[inline]
pub fn under<F: Future>(ctx: &Ctx, future: F) -> Scope<F> {
    Scope::watched(ctx.clone(), future, Watch::none())
}

/// Runs `f` with `ctx` current, whose end it tells.
#[inline]
pub fn at<R>(ctx: &Ctx, f: impl FnOnce() -> R) -> R {
    ctx.sync_scope(f)
}

/// How a body takes the end, for leaves that are not polled under the context they are made under.
pub trait HowUnder: How {
    type Under<F: Future>: Future<Output = Result<F::Output, Self::End<F::Output>>>;

    #[cfg_attr(feature = "observe", track_caller)]
    fn leaf_under<F: Future>(&self, future: F, exempt: bool) -> Self::Under<F>;
}

impl<E> HowUnder for Unwinds<E> {
    type Under<F: Future> = Begins<F>;

    #[cfg_attr(feature = "observe", track_caller)]
    fn leaf_under<F: Future>(&self, future: F, exempt: bool) -> Begins<F> {
        Begins { begun: exempt, leaf: Leaf::later(future) }
    }
}

impl HowUnder for PlainAwaits {
    type Under<F: Future> = Unraced<F>;

    #[cfg_attr(feature = "observe", track_caller)]
    fn leaf_under<F: Future>(&self, future: F, _exempt: bool) -> Unraced<F> {
        Unraced { future, watch: Watch::later(ObservedKind::Await) }
    }
}

pin_project! {
    /// A leaf that looks whether it may begin where it is polled.
    #[must_use = "futures do nothing unless awaited"]
    #[derive(Debug)]
    pub struct Begins<F> {
        begun: bool,
        #[pin]
        leaf: Leaf<F>,
    }
}

impl<F: Future> Future for Begins<F> {
    type Output = Result<F::Output, Ended<F::Output>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if !std::mem::replace(this.begun, true) {
            this.leaf.as_mut().announce();
            if frame::refuses() {
                return Poll::Ready(Err(Ended::new(Why::Refused)));
            }
        }
        this.leaf.poll(cx)
    }
}

/// One await of such a function.
#[inline]
#[cfg_attr(feature = "observe", track_caller)]
pub fn leaf_under<T: Awaitable, H: HowUnder>(
    ctx: &Ctx,
    awaited: T,
    how: &H,
) -> Scope<H::Under<T::Future>> {
    under(ctx, how.leaf_under(awaited.into_awaited(), T::EXEMPT))
}
