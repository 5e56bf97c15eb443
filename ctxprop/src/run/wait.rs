//! Waiting for the end: a waker left with the context, and a timer at its deadline.
//!
//! # Invariants
//! 1. While a wait is pending its waker is registered, and its timer runs, if the end can come.
//! 2. The same waker is registered once, not at every poll: polling again leaves nothing with the context.
//! 3. A scope inside another that is polled with the same waker and ends with the same context shares its registration,
//!    which lasts as long as one of the two waits.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, Id};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep};

use crate::context::deadline::timer;
use crate::context::header::Header;
use crate::ctx::Ctx;
use crate::end::Keys;
use crate::fault::{Fault, planted};
use crate::run::current;
use crate::sync::{Mutex, lock};

/// A waker that the end of a context wakes.
#[derive(Debug)]
pub(crate) struct Registration {
    /// What ends the context, and not that: scopes that share this end with it too, and would keep the values of each other.
    ender: Ctx,
    waker: Waker,
    /// The address of what the waker that this one was cloned of can do.
    vtable: usize,
    keys: Keys,
    timer: Mutex<Option<Timer>>,
}

/// A timer at the deadline, and the runtime that drives it.
#[derive(Debug)]
struct Timer {
    runtime: Id,
    sleep: Pin<Box<dyn Sleeps>>,
}

/// A [`Sleep`], as a `dyn`: rustc asks whether the type of each future around a scope is `Send`, down to the last type, and
/// gives up 128 types deep. The timer's own would be 40 of them.
trait Sleeps: Future<Output = ()> + fmt::Debug + Send {
    fn is_elapsed(&self) -> bool;
}

impl Sleeps for Sleep {
    fn is_elapsed(&self) -> bool {
        Sleep::is_elapsed(self)
    }
}

impl Timer {
    /// None outside of a runtime: the deadline is then noticed at some later poll.
    fn at(deadline: Instant, now: Instant) -> Option<Timer> {
        let (runtime, sleep) = timer(deadline, now)?;
        Some(Timer { runtime, sleep: Box::pin(sleep) })
    }

    fn runs(&self) -> bool {
        !self.sleep.is_elapsed()
            && Handle::try_current().is_ok_and(|here| here.id() == self.runtime)
    }
}

impl Registration {
    /// None where the end has come, or cannot.
    fn new(ctx: &Ctx, waker: &Waker) -> Option<Arc<Registration>> {
        let mut keys = Keys::new();
        let ender = ctx.ender()?;
        if !ender.register(waker, &mut keys) {
            return None;
        }
        let (vtable, waker) = (vtable(waker), waker.clone());
        Some(Arc::new(Registration { ender, waker, vtable, keys, timer: Mutex::new(None) }))
    }

    /// Whether `waker` is the one that it waits with. The clone of a waker may have its functions at another address, as that
    /// of `block_on` of tokio has: it would else be registered anew at each poll. What both point at is the same, and lives as
    /// long as the clone.
    #[inline]
    fn waits_with(&self, waker: &Waker) -> bool {
        self.waker.data() == waker.data()
            && (self.vtable == vtable(waker) || vtable(&self.waker) == vtable(waker))
    }

    /// Waits with another waker. False where the end has come.
    fn change(&mut self, waker: &Waker) -> bool {
        self.ender.unregister(&mut self.keys);
        *self.timer.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        (self.vtable, self.waker) = (vtable(waker), waker.clone());
        self.ender.register(waker, &mut self.keys)
    }

    /// Whether the deadline may have passed: the clock is asked then.
    fn timer_is_due(&self) -> bool {
        let timer = lock(&self.timer);
        timer.as_ref().is_none_or(|timer| timer.sleep.is_elapsed())
    }

    /// Ready where the deadline of `ctx` has passed; else a timer runs.
    fn poll_timer(&self, ctx: &Ctx, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = ctx.deadline() else { return Poll::Pending };
        let mut timer = lock(&self.timer);
        if timer.as_ref().is_some_and(Timer::runs) {
            return Poll::Pending;
        }
        // None runs, or it fired. A runtime that shuts down fires all its timers: the clock tells.
        let old = timer.take();
        drop(timer);
        drop(old);
        let now = Instant::now();
        if ctx.header().expire_if_due_at(now) {
            return Poll::Ready(());
        }
        let Some(mut new) = Timer::at(deadline, now) else { return Poll::Pending };
        // Outside tokio's cooperative budget: a poll refused for lack of it would register nothing.
        let fired = pin!(unconstrained(new.sleep.as_mut())).poll(cx).is_ready();
        let old = lock(&self.timer).replace(new);
        drop(old);
        if fired && ctx.expire_if_due() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.ender.unregister(&mut self.keys);
    }
}

/// Whether the context of `header` has ended. Looks at the timer, or at the clock where no timer runs.
#[inline]
pub(crate) fn has_ended(header: &Header, waiting: Option<&Arc<Registration>>) -> bool {
    header.ended()
        || (header.deadline().is_some()
            && waiting.is_none_or(|waiting| waiting.timer_is_due())
            && header.expire_if_due())
}

#[inline]
fn vtable(waker: &Waker) -> usize {
    std::ptr::from_ref(waker.vtable()).addr()
}

/// Has what waits with another waker than `waker` wait with that.
#[inline]
pub(crate) fn keep_for(waiting: &mut Option<Arc<Registration>>, waker: &Waker) {
    let other = waiting.as_ref().is_some_and(|waiting| !waiting.waits_with(waker));
    if other && !planted(Fault::KeepsTheOldWaker) {
        change_waker(waiting, waker);
    }
}

#[cold]
fn change_waker(waiting: &mut Option<Arc<Registration>>, waker: &Waker) {
    // One that others share is theirs, and one of an ended context is of no use.
    let kept = waiting.as_mut().and_then(Arc::get_mut).is_some_and(|only| only.change(waker));
    if !kept {
        *waiting = None;
    }
}

/// Ready when `ctx` has ended; else the waker of `cx` is woken when it does. What waits in `waiting` does so with that
/// waker.
pub(crate) fn poll_end(
    ctx: &Ctx,
    waiting: &mut Option<Arc<Registration>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if waiting.is_none() {
        let make = || Registration::new(ctx, cx.waker());
        *waiting = if current::covers(ctx, cx.waker()) { current::share(make) } else { make() };
    }
    if ctx.ended() && !planted(Fault::RegistersAndLooksNoMore) {
        return Poll::Ready(());
    }
    match waiting {
        Some(waiting) => waiting.poll_timer(ctx, cx),
        None => Poll::Pending,
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::Background;

    /// Pending once.
    async fn pause() {
        let mut paused = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut paused, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    // Fails where the registration that both share keeps the context of the one that made it.
    #[test]
    fn a_scope_keeps_nothing_of_one_inside_that_is_over() {
        let (outer, _canceller) = Ctx::background().with_cancel();
        let value = Arc::new(());
        let inner = outer.with_value(Arc::clone(&value));
        let mut scope = Box::pin(outer.scope(async move {
            inner.scope(pause()).await;
            drop(inner);
            std::future::pending::<()>().await;
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(scope.as_mut().poll(&mut cx).is_pending());
        assert_eq!(Arc::strong_count(&value), 2);
        assert!(scope.as_mut().poll(&mut cx).is_pending());
        assert_eq!(Arc::strong_count(&value), 1, "the inner context is still there");
    }
}
