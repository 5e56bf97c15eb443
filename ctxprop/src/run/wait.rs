//! Waiting for the end: a waker left with the context, and a timer at its deadline.
//!
//! # Invariants
//! 1. While a wait is pending its waker is registered, and its timer runs, if the end can come.
//! 2. The same waker is registered once, not at every poll: polling again leaves nothing with the context.
//! 3. A scope inside another that is polled with the same waker and ends with the same context shares its registration,
//!    which lasts as long as one of the two waits.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::cancel::{self, Wait};
use crate::ctx::Ctx;
use crate::run::current;

/// A waker that the end of a context wakes.
#[derive(Debug)]
pub(crate) struct Registration {
    ctx: Ctx,
    waker: Waker,
    key: Option<usize>,
    timer: Mutex<Option<Timer>>,
}

/// A timer at the deadline, and the runtime that drives it.
#[derive(Debug)]
struct Timer {
    runtime: Id,
    sleep: Pin<Box<Sleep>>,
}

/// No timer runs longer: what the clock of tokio can tell ends somewhere, and a timer that fires before the deadline
/// is made anew.
const LONGEST_TIMER: Duration = Duration::from_secs(365 * 86_400);

impl Timer {
    /// None outside of a runtime: the deadline is then noticed at some later poll.
    fn at(deadline: Instant) -> Option<Timer> {
        let runtime = Handle::try_current().ok()?.id();
        let left = deadline.saturating_duration_since(Instant::now());
        let sleep = if left < LONGEST_TIMER { sleep_until(deadline) } else { sleep(LONGEST_TIMER) };
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
        let mut key = None;
        if cancel::register(ctx.node(), &mut key, waker) != Wait::Registered {
            return None;
        }
        let (ctx, waker) = (ctx.clone(), waker.clone());
        Some(Arc::new(Registration { ctx, waker, key, timer: Mutex::new(None) }))
    }

    /// Whether the deadline may have passed: the clock is asked then.
    fn timer_is_due(&self) -> bool {
        let timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        timer.as_ref().is_none_or(|timer| timer.sleep.is_elapsed())
    }

    /// Ready where the deadline of `ctx` has passed; else a timer runs.
    fn poll_timer(&self, ctx: &Ctx, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = ctx.deadline() else { return Poll::Pending };
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        if timer.as_ref().is_some_and(Timer::runs) {
            return Poll::Pending;
        }
        // None runs, or it fired. A runtime that shuts down fires all its timers: the clock tells.
        let old = timer.take();
        if let Some(mut new) = Timer::at(deadline) {
            // Outside tokio's cooperative budget: a poll refused for lack of it would register nothing.
            let _ = pin!(unconstrained(new.sleep.as_mut())).poll(cx);
            *timer = Some(new);
        }
        drop(timer);
        drop(old);
        if ctx.expire_if_due() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            cancel::unregister(self.ctx.node(), key);
        }
    }
}

/// Whether `ctx` has ended. Looks at the timer, or at the clock where no timer runs.
#[inline]
pub(crate) fn has_ended(ctx: &Ctx, waiting: Option<&Arc<Registration>>) -> bool {
    ctx.ended()
        || (ctx.deadline().is_some()
            && waiting.is_none_or(|waiting| waiting.timer_is_due())
            && ctx.expire_if_due())
}

/// Drops what waits with another waker than `waker`.
#[inline]
pub(crate) fn keep_if_of(waiting: &mut Option<Arc<Registration>>, waker: &Waker) {
    if waiting.as_ref().is_some_and(|waiting| !waiting.waker.will_wake(waker)) {
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
    if ctx.ended() {
        return Poll::Ready(());
    }
    match waiting {
        Some(waiting) => waiting.poll_timer(ctx, cx),
        None => Poll::Pending,
    }
}
