//! [`Watchers`]: see to it that a response body ends with its context, though nobody polls it.
//!
//! A server does not poll a body that it cannot send: its peer reads nothing. So each body that lasts has a task that
//! waits for the end of its context. Most bodies are over before one could be spawned: so a body is put on a list, and
//! gets its task when it is still there some milliseconds later.
//!
//! # Invariants
//! 1. While a body is on the list, one task ticks and will look at it. That task ends with the last one on the list.
//! 2. At the end of its context a body is dropped within `TICK` and `GRACE`, which a server that does poll it has to
//!    let it say its last words.
//! 3. Where nobody polls it then either, within `STALLED`, what it was to be sent on is closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ctxprop::Ctx;
use tokio::runtime::Handle;

use crate::service::Shared;

/// How old a body gets before it has a task of its own.
const TICK: Duration = Duration::from_millis(4);
/// How long a body that is ended waits for a poll.
const GRACE: Duration = Duration::from_millis(4);
/// How long a body that was cut waits for a poll, in which it says so.
const STALLED: Duration = Duration::from_millis(20);
/// How long to wait for a thread that polls a body just now.
const POLLED: Duration = Duration::from_millis(1);

/// A body that lasts no longer than its context.
pub(crate) trait Watched: Send + Sync {
    /// The context it is bound to.
    fn bound_to(&self) -> Bound;

    /// The context has ended: whoever polls it does so again.
    fn wake(&self);

    /// Drops what is left of it. False where it is being polled just now.
    fn cut(&self) -> bool;

    /// Closes what it was to be sent on, if it was cut and nobody has polled it since. Only some servers can.
    fn close(&self) {}
}

/// What a body is bound to.
pub(crate) enum Bound {
    To(Ctx),
    /// It is over.
    Over,
    /// It cannot tell: it is being polled just now.
    Polled,
}

/// The bodies that have no task yet.
#[derive(Default)]
pub(crate) struct Watchers {
    young: Mutex<Young>,
}

#[derive(Default)]
struct Young {
    bodies: Vec<Weak<dyn Watched>>,
    ticking: bool,
}

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, Young> {
        // Nothing foreign runs under the lock.
        self.young.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `body` end with its context. Outside of a runtime nothing can, until somebody polls it.
    pub(crate) fn watch(shared: &Arc<Shared>, body: Weak<dyn Watched>) {
        let mut young = shared.watchers.lock();
        if !young.ticking {
            let Ok(runtime) = Handle::try_current() else { return };
            young.ticking = true;
            let ticking = Ticking { shared: Arc::clone(shared), over: false };
            drop(runtime.spawn(tick(ticking)));
        }
        young.bodies.push(body);
    }
}

/// Held by the task that ticks. A runtime that goes down drops it with the task, and with it what was on the list.
struct Ticking {
    shared: Arc<Shared>,
    over: bool,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut young = self.shared.watchers.lock();
        young.ticking = false;
        let gone = std::mem::take(&mut young.bodies);
        drop(young);
        drop(gone);
    }
}

async fn tick(mut ticking: Ticking) {
    let mut grown = Vec::new();
    loop {
        tokio::time::sleep(TICK).await;
        {
            let mut young = ticking.shared.watchers.lock();
            if young.bodies.is_empty() {
                // Under the lock, so that the next body finds that it has to spawn.
                young.ticking = false;
                drop(young);
                ticking.over = true;
                return;
            }
            std::mem::swap(&mut grown, &mut young.bodies);
        }
        for body in grown.drain(..) {
            match body.upgrade().map_or(Bound::Over, |body| body.bound_to()) {
                Bound::Over => {}
                Bound::To(_) | Bound::Polled => drop(tokio::spawn(watch(body))),
            }
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
