//! The awaits of a function that binds the name of its context anew: `let ctx = ctx.with_timeout(limit);`. What the name means
//! is what they run under, and whose end they see.
//!
//! By type: the methods of [`Name`] are inherent for contexts and what points at one, and a trait's for all else, so that a `ctx`
//! of another type stays what it is. There is one inherent implementation, so that it is also taken for a type that is not known
//! yet, such as that of a closure's parameter.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
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

/// A context, or what points at one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no context, and has the name of the function's",
    label = "its type is known too late to tell: write it at the closure's parameter, or give it another name"
)]
pub trait Named {
    type By;

    fn named(&self) -> &Ctx;
}

impl Named for Ctx {
    type By = ByValue;

    #[inline]
    fn named(&self) -> &Ctx {
        self
    }
}

macro_rules! pointers {
    ($($pointer:ty: $by:ty,)*) => {
        $(
            impl<T: Named + ?Sized> Named for $pointer {
                type By = $by;

                #[inline]
                fn named(&self) -> &Ctx {
                    (**self).named()
                }
            }
        )*
    };
}

pointers! {
    &T: ByValue,
    &mut T: ByMut,
    Box<T>: ByValue,
    Rc<T>: ByValue,
    Arc<T>: ByValue,
}

/// How a name is that of a context: nothing but an assignment to it gives it another one,
#[derive(Debug)]
pub struct ByValue;

/// or whoever has the reference does.
#[derive(Debug)]
pub struct ByMut;

/// Implemented by no context that was lent: its absence is the message.
#[diagnostic::on_unimplemented(
    message = "a context does not change: awaits would not follow what this `&mut` may make of its name",
    label = "assign the name, `ctx = ..;`, or bind it anew, `let ctx = ..;`",
    note = "an await runs under what the name of the function's context means there"
)]
pub trait NotLent {}

#[diagnostic::do_not_recommend]
impl NotLent for () {}

/// Implemented by no context that was assigned where only a copy of what its name means is: its absence is the message.
#[diagnostic::on_unimplemented(
    message = "a context does not change: awaits outside would not follow what is assigned in this closure or async block",
    label = "for what is in here, bind it anew: `let ctx = ..;`; for what is behind, assign it outside",
    note = "an await runs under what the name of the function's context means there"
)]
pub trait NotAssignedInside {}

#[diagnostic::do_not_recommend]
impl NotAssignedInside for () {}

/// Its absence is the message.
#[diagnostic::on_unimplemented(
    message = "a context does not change: awaits would not follow a name that is bound to a `&mut Ctx`",
    label = "bind a `Ctx` or a `&Ctx`, or give it another name than that of the function's context",
    note = "an await runs under what the name of the function's context means there"
)]
pub trait NotByMut {}

#[diagnostic::do_not_recommend]
impl NotByMut for ByValue {}

/// A context that was lent by `&mut`.
#[derive(Debug)]
pub struct Lent;

/// A context that was assigned in a closure or block.
#[derive(Debug)]
pub struct AssignedInside;

impl<T: Named> Name<'_, T> {
    #[inline]
    pub fn context_or<C: Captured>(self, before: &C) -> C
    where
        T::By: NotByMut,
    {
        before.bound_to(self.0.named().clone())
    }

    #[inline]
    pub fn bound_or(self, _before: &impl Captured) -> Bound
    where
        T::By: NotByMut,
    {
        Bound(self.0.named().clone())
    }

    pub const fn lent(self) -> &'static Lent {
        &Lent
    }

    pub const fn assigned_inside(self) -> &'static AssignedInside {
        &AssignedInside
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

    fn lent(self) -> &'static () {
        &()
    }

    fn assigned_inside(self) -> &'static () {
        &()
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
