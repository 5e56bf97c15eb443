//! `select!` in a `#[propagate]` body: all its branches together are one leaf. This is tokio's; that of futures is in
//! `fused.rs`.
//!
//! The macro wraps each branch in [`Select::branch`] and adds one more, [`Select::end`], which is ready when
//! the context has ended and the branches had their chance to unwind.
//!
//! # Invariants
//! 1. The end is taken once every branch is ready or was polled after all were told of it (leaf rule 2), and not while
//!    a shield is active in a branch. What encloses the `select!` waits for that poll, also another `select!`.
//! 2. Once every other branch is disabled the end disables itself too, so that `else` and tokio's own panic
//!    come as they would.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::body::How;
use crate::current;
use crate::shield::{self, Seen};

mod fused;

pub use fused::FusedEnd;

/// What the branches of one `select!` share. All of it is touched by one task at a time: the atomics are
/// there because the task may move between threads.
#[derive(Debug)]
pub struct Select<H> {
    how: H,
    /// Whether a branch can be ready and yet not chosen, because its pattern does not match.
    refutable: bool,
    enabled: AtomicUsize,
    ready: AtomicUsize,
    /// How many branches had their chance to unwind.
    unwound: AtomicUsize,
    /// Whether a `select!` in a branch takes the end at its next poll.
    inner_unwinds: AtomicBool,
    shields: Mutex<Seen>,
}

impl<H: How> Select<H> {
    /// For the branches of one `select!`.
    pub fn new(how: H, refutable: bool) -> Self {
        let mut shields = Seen::default();
        if H::UNWINDS && current::has_news() {
            shields.inherit();
        }
        Select {
            how,
            refutable,
            enabled: AtomicUsize::new(0),
            ready: AtomicUsize::new(0),
            unwound: AtomicUsize::new(0),
            inner_unwinds: AtomicBool::new(false),
            shields: Mutex::new(shields),
        }
    }

    /// A branch without a precondition.
    pub fn branch<F: Future>(&self, future: F) -> Branch<'_, F, H> {
        self.enabled.fetch_add(1, Relaxed);
        self.guarded(future)
    }

    /// A branch whose precondition went through [`enable`](Select::enable).
    pub fn guarded<F: Future>(&self, future: F) -> Branch<'_, F, H> {
        Branch { select: self, future, unwound: Cell::new(false), over: Cell::new(false) }
    }

    /// Notes that a precondition holds.
    pub fn enable(&self, precondition: bool) -> bool {
        self.enabled.fetch_add(usize::from(precondition), Relaxed);
        precondition
    }

    /// The branch for the end of the context.
    pub fn end(&self) -> End<'_, H> {
        End { select: self }
    }

    fn shields(&self) -> MutexGuard<'_, Seen> {
        self.shields.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pin_project! {
    /// A branch of the user's.
    #[derive(Debug)]
    pub struct Branch<'a, F, H> {
        select: &'a Select<H>,
        #[pin]
        future: F,
        // Whether it was counted as one that had its chance to unwind.
        unwound: Cell<bool>,
        // Whether it was counted as one that has terminated.
        over: Cell<bool>,
    }
}

impl<F: Future, H: How> Future for Branch<'_, F, H> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !H::UNWINDS {
            return this.future.poll(cx);
        }
        let select = *this.select;
        let before = shield::mark();
        let told = current::has_news() && select.how.end().is_some_and(|end| H::told(&end));
        let polled = this.future.poll(cx);
        if (told || polled.is_ready()) && !this.unwound.replace(true) {
            select.unwound.fetch_add(1, Relaxed);
        }
        if polled.is_ready() {
            select.ready.fetch_add(1, Relaxed);
            select.shields().lend_since(before);
            if select.refutable {
                // If the pattern refuses it, the end has to look whether it is alone (invariant 2).
                cx.waker().wake_by_ref();
            }
        } else if shield::mark() != before && select.shields().remember_since(before) {
            select.inner_unwinds.store(true, Relaxed);
        }
        polled
    }
}

/// The branch that the macro adds: `Some` takes the end, `None` disables it.
#[derive(Debug)]
pub struct End<'a, H> {
    select: &'a Select<H>,
}

impl<H: How> Future for End<'_, H> {
    type Output = Option<H::End>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let select = self.select;
        if !H::UNWINDS || select.ready.load(Relaxed) == select.enabled.load(Relaxed) {
            return Poll::Ready(None);
        }
        // Without a waker of its own: the nearest scope is woken by the end, and once all were told of it, and polls
        // the whole `select!`.
        let Some(end) = select.how.end().filter(H::told) else {
            return Poll::Pending;
        };
        let all = select.unwound.load(Relaxed) == select.enabled.load(Relaxed);
        if !all || select.inner_unwinds.swap(false, Relaxed) {
            shield::unwinds_next(cx.waker());
            return Poll::Pending;
        }
        let mut shields = select.shields();
        // Who polled them last may be no branch any more: each is left a waker.
        shields.remember_since(shield::mark());
        if shields.hold(cx.waker()) { Poll::Pending } else { Poll::Ready(Some(end)) }
    }
}
