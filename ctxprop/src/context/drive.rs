//! Who sees to the deadline of callbacks and tokens, which are nobody's future: a task of the runtime in which they were asked
//! for, by the clock of that; where there is none, or it has no timers, the thread of `outside.rs`.
//!
//! # Invariants
//! 1. A node has one task for each runtime in which something was added, as long as anything waits: that of another runtime may
//!    not be driven.
//! 2. What still waits when such a runtime is shut down is the thread's from then on: the end is told once, whatever happens
//!    (3.1.7).

use std::cell::Cell;
use std::future::Future;
use std::panic::catch_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::runtime::{Handle, Id};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::callbacks::Callbacks;
use super::deadline::timer;
use super::handle::Node;
use super::header::Header;
use super::outside;

/// The clock by which a deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    System,
    Runtime(Id),
}

impl Clock {
    /// The one that is to be used here.
    pub(super) fn here() -> Clock {
        thread_local! {
            /// The last runtime here, and whether it has timers.
            static KNOWN: Cell<Option<(Id, bool)>> = const { Cell::new(None) };
        }
        let Ok(runtime) = Handle::try_current() else { return Clock::System };
        let id = runtime.id();
        let known = KNOWN.get().filter(|(of, _)| *of == id);
        let (_, has_timers) = known.unwrap_or_else(|| {
            // Tokio tells in no other way.
            let has_timers = catch_unwind(|| drop(sleep(Duration::ZERO))).is_ok();
            KNOWN.set(Some((id, has_timers)));
            (id, has_timers)
        });
        if has_timers { Clock::Runtime(id) } else { Clock::System }
    }

    /// Has something see to the deadline of `node` by this clock, which is the one here.
    pub(super) fn drive(self, node: &Node, deadline: Instant) {
        match self {
            Clock::System => outside::watch(deadline, Arc::downgrade(Callbacks::of(node))),
            Clock::Runtime(_) => {
                let node = node.clone();
                let drive = Drive { node, clock: self, timer: None, cancelled: None, left: false };
                drop(Handle::current().spawn(drive));
            }
        }
    }
}

/// What drives one node by one clock.
pub(super) struct Driver {
    pub(super) clock: Clock,
    /// Of a task that waits: woken when nobody is left.
    waker: Option<Waker>,
}

impl Driver {
    pub(super) fn new(clock: Clock) -> Driver {
        Driver { clock, waker: None }
    }

    pub(super) fn waits(&mut self, waker: Waker) -> Option<Waker> {
        self.waker.replace(waker)
    }

    pub(super) fn waker(&self) -> Option<Waker> {
        self.waker.clone()
    }
}

pin_project! {
    /// The task of invariant 1.
    struct Drive {
        node: Node,
        clock: Clock,
        #[pin]
        timer: Option<Sleep>,
        // What ends above cancels the token of the node, and not all that the node has hears of it else (`callbacks.rs`).
        cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
        // Whether it has left the node's drivers.
        left: bool,
    }

    impl PinnedDrop for Drive {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // With its runtime, before it was over: invariant 2.
            if !*this.left {
                let callbacks = Callbacks::of(this.node);
                callbacks.driver_gone(*this.clock);
                if let Some(deadline) = this.node.deadline
                    && callbacks.starts_outside()
                {
                    Clock::System.drive(this.node, deadline);
                }
            }
        }
    }
}

impl Future for Drive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(token) = Callbacks::of(this.node).drives(*this.clock, cx.waker()) else {
            *this.left = true;
            return Poll::Ready(());
        };
        if poll_cancelled(this.cancelled, token, cx).is_pending()
            && poll_deadline(this.node, this.timer.as_mut(), cx).is_pending()
        {
            return Poll::Pending;
        }
        *this.left = true;
        Callbacks::of(this.node).driver_gone(*this.clock);
        Poll::Ready(())
    }
}

/// Ready once `token`, if there is one, is cancelled.
fn poll_cancelled(
    cancelled: &mut Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    token: Option<Arc<CancellationToken>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(token) = token else { return Poll::Pending };
    let cancelled = cancelled.get_or_insert_with(|| Box::pin((*token).clone().cancelled_owned()));
    pin!(unconstrained(cancelled.as_mut())).poll(cx)
}

/// Ready once the deadline of `node` has passed, if there is one.
fn poll_deadline(
    node: &Header,
    mut own: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(deadline) = node.deadline else { return Poll::Ready(()) };
    if own.as_mut().as_pin_mut().is_none_or(|timer| timer.is_elapsed()) {
        // A runtime that shuts down fires all its timers: the clock tells.
        let now = Instant::now();
        if node.expire_if_due_at(now) {
            return Poll::Ready(());
        }
        own.set(timer(deadline, now).map(|(_, timer)| timer));
    }
    let Some(timer) = own.as_pin_mut() else { return Poll::Pending };
    // Outside tokio's cooperative budget: a poll refused for lack of it would register nothing.
    match pin!(unconstrained(timer)).poll(cx) {
        Poll::Ready(()) if node.expire_if_due() => Poll::Ready(()),
        // Of a runtime that shuts down, in which nothing can wait any more.
        _ => Poll::Pending,
    }
}

#[cfg(test)]
mod tests;
