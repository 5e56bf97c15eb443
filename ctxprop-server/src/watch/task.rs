//! The tasks of [`Watchers`]: one for each list that is not empty, and one for each body that was still on it when that
//! looked.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Bound, List, SPARE, Watched, Watchers};

/// How old a body gets, that may end at any time, before it has a task of its own.
pub(super) const TICK: Duration = Duration::from_millis(4);
/// How old one gets that ends with the root, or at its deadline.
const LONG: Duration = Duration::from_millis(100);
/// How long a body that is ended waits for a poll.
const GRACE: Duration = Duration::from_millis(4);
/// How long a body that was cut waits for a poll, in which it says so.
const STALLED: Duration = Duration::from_millis(20);
/// How long to wait for a thread that polls a body just now.
const POLLED: Duration = Duration::from_millis(1);

/// When to look where nothing ends sooner.
pub(super) fn later() -> Instant {
    Instant::now() + LONG
}

/// Held by the task of a list. A runtime that goes down drops it with the task, and with it what was on the list.
pub(super) struct Ticking {
    watchers: Watchers,
    list: u16,
    over: bool,
}

impl Ticking {
    pub(super) fn over(watchers: Watchers, list: u16) -> Ticking {
        Ticking { watchers, list, over: false }
    }

    fn list(&self) -> &List {
        self.watchers.list(self.list)
    }

    /// Until it is time to look: which may come to be sooner meanwhile.
    async fn waits(&self) {
        let root = self.watchers.root();
        // One that has ended ends bodies that begin after it.
        let ended = root.is_done();
        let mut done = pin!(root.done());
        let mut sleep = pin!(None::<Sleep>);
        poll_fn(|cx| {
            if !ended && done.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let looks = {
                let mut young = self.list().lock();
                if ended && !young.soon {
                    young.soon = true;
                    young.looks = Some(Instant::now() + TICK);
                }
                young.waker = Some(cx.waker().clone());
                young.looks
            };
            let Some(looks) = looks else { return Poll::Ready(()) };
            if sleep.as_ref().as_pin_ref().is_none_or(|sleep| sleep.deadline() != looks) {
                sleep.set(Some(sleep_until(looks)));
            }
            sleep
                .as_mut()
                .as_pin_mut()
                .map_or(Poll::Ready(()), |sleep: Pin<&mut Sleep>| sleep.poll(cx))
        })
        .await;
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut gone = Vec::new();
        let waker = {
            let mut young = self.list().lock();
            (young.looks, young.soon) = (None, false);
            young.take(&mut gone);
            young.waker.take()
        };
        drop((gone, waker));
    }
}

/// Looks at a list, again and again, until it is empty.
pub(super) async fn tick(mut ticking: Ticking) {
    let mut grown = Vec::new();
    loop {
        ticking.waits().await;
        let (over, waker) = {
            let mut young = ticking.list().lock();
            let over = young.is_empty();
            young.soon = false;
            // Under the lock, so that the next body finds that it has to spawn.
            young.looks = if over { None } else { Some(later()) };
            if !over || young.bodies.len() > SPARE {
                young.take(&mut grown);
            }
            (over, young.waker.take())
        };
        ticking.over = over;
        drop(waker);
        for body in grown.drain(..).flatten() {
            match body.bound_to() {
                Bound::Over => {}
                Bound::To(_) | Bound::Polled => drop(tokio::spawn(watch(Arc::downgrade(&body)))),
            }
        }
        if ticking.over {
            return;
        }
    }
}

async fn watch(body: Weak<dyn Watched>) {
    let ctx = loop {
        match body.upgrade().map_or(Bound::Over, |body| body.bound_to()) {
            Bound::Over => return,
            Bound::To(ctx) => break ctx,
            Bound::Polled => tokio::time::sleep(POLLED).await,
        }
    };
    ctx.done().await;
    drop(ctx);
    if let Some(body) = body.upgrade() {
        body.wake();
    }
    tokio::time::sleep(GRACE).await;
    while body.upgrade().is_some_and(|body| !body.cut()) {
        tokio::time::sleep(POLLED).await;
    }
    tokio::time::sleep(STALLED).await;
    if let Some(body) = body.upgrade() {
        body.close();
    }
}
