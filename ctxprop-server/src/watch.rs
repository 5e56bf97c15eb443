//! [`Watchers`]: see to it that a response body ends with its context, though nobody polls it.
//!
//! A server does not poll a body that it cannot send: its peer reads nothing. So each body that lasts has a task that
//! waits for the end of its context. Most bodies are over before one could be spawned: so a body is put on a list, and
//! gets its task when it is still there some milliseconds later. One that is over sooner leaves the list, so that its
//! memory serves the next one.
//!
//! # Invariants
//! 1. While a body is on a list, one task ticks and will look at it. That task ends once it finds its list empty.
//! 2. At the end of its context a body is dropped within `TICK` and `GRACE`, which a server that does poll it has to
//!    let it say its last words.
//! 3. Where nobody polls it then either, within `STALLED`, what it was to be sent on is closed.
//! 4. Threads share a list only where there are more of them than lists, and lists share no cache line.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ctxprop::Ctx;
use tokio::runtime::Handle;

/// How old a body gets before it has a task of its own.
const TICK: Duration = Duration::from_millis(4);
/// How long a body that is ended waits for a poll.
const GRACE: Duration = Duration::from_millis(4);
/// How long a body that was cut waits for a poll, in which it says so.
const STALLED: Duration = Duration::from_millis(20);
/// How long to wait for a thread that polls a body just now.
const POLLED: Duration = Duration::from_millis(1);

/// A body that lasts no longer than its context. It is behind an `Arc`, of which the list and the task hold a `Weak`.
pub trait Watched: Send + Sync {
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
#[derive(Debug)]
pub enum Bound {
    /// A context.
    To(Ctx),
    /// It is over.
    Over,
    /// It cannot tell: it is being polled just now.
    Polled,
}

/// The bodies that have no task yet, in a list for each thread. Clones share the lists.
#[derive(Clone, Default)]
pub struct Watchers {
    lists: Arc<[List; LISTS]>,
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers").finish_non_exhaustive()
    }
}

const LISTS: usize = 16;

#[derive(Default)]
#[repr(align(128))]
struct List {
    young: Mutex<Young>,
}

#[derive(Default)]
struct Young {
    bodies: Vec<Option<Weak<dyn Watched>>>,
    /// The places in `bodies` that are free.
    free: Vec<u32>,
    /// How often `bodies` was taken away.
    round: u32,
    ticking: bool,
}

/// A body's place on a list, which one body has at a time.
#[derive(Debug)]
pub struct Place {
    list: u16,
    round: u32,
    index: u32,
}

impl List {
    fn lock(&self) -> MutexGuard<'_, Young> {
        // Nothing foreign runs under the lock.
        self.young.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watchers {
    /// Has `body` end with its context, and says which place on the list it has. Outside of a runtime nothing can end it
    /// until somebody polls it, and it has no place.
    ///
    /// A body that is over is [forgotten](Watchers::forget), so that the next one gets its place. One that is not is let
    /// go some milliseconds later.
    #[inline]
    pub fn watch(&self, body: Weak<dyn Watched>) -> Option<Place> {
        let list = this_thread();
        let mut young = self.list(list)?.lock();
        if !young.ticking {
            let runtime = Handle::try_current().ok()?;
            young.ticking = true;
            let ticking = Ticking { watchers: self.clone(), list, over: false };
            drop(runtime.spawn(tick(ticking)));
        }
        let round = young.round;
        if let Some(index) = young.free.pop()
            && let Some(free) = young.bodies.get_mut(index as usize)
        {
            *free = Some(body);
            return Some(Place { list, round, index });
        }
        let index = u32::try_from(young.bodies.len()).ok()?;
        young.bodies.push(Some(body));
        Some(Place { list, round, index })
    }

    fn list(&self, list: u16) -> Option<&List> {
        self.lists.get(usize::from(list))
    }

    /// The body at `place`, which these watchers gave it, is over: nobody has to see to it any more.
    pub fn forget(&self, place: Place) {
        let Some(list) = self.list(place.list) else { return };
        let mut young = list.lock();
        // It may have its task by now.
        if young.round != place.round {
            return;
        }
        let gone = young.bodies.get_mut(place.index as usize).and_then(Option::take);
        young.free.push(place.index);
        drop(young);
        drop(gone);
    }
}

/// Which list is this thread's.
fn this_thread() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    thread_local! {
        static LIST: Cell<Option<u16>> = const { Cell::new(None) };
    }
    LIST.get().unwrap_or_else(|| {
        let list = NEXT.fetch_add(1, Ordering::Relaxed) % LISTS as u16;
        LIST.set(Some(list));
        list
    })
}

/// Held by the task that ticks. A runtime that goes down drops it with the task, and with it what was on the list.
struct Ticking {
    watchers: Watchers,
    list: u16,
    over: bool,
}

impl Ticking {
    fn list(&self) -> Option<&List> {
        self.watchers.list(self.list)
    }
}

impl Young {
    /// All that is on the list, which is empty then.
    fn take(&mut self, into: &mut Vec<Option<Weak<dyn Watched>>>) {
        std::mem::swap(into, &mut self.bodies);
        self.free.clear();
        self.round = self.round.wrapping_add(1);
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let Some(list) = self.list() else { return };
        let mut gone = Vec::new();
        let mut young = list.lock();
        young.ticking = false;
        young.take(&mut gone);
        drop(young);
        drop(gone);
    }
}

async fn tick(mut ticking: Ticking) {
    let mut grown = Vec::new();
    loop {
        tokio::time::sleep(TICK).await;
        {
            let Some(list) = ticking.list() else { return };
            let mut young = list.lock();
            if young.free.len() == young.bodies.len() {
                // Under the lock, so that the next body finds that it has to spawn.
                young.ticking = false;
                drop(young);
                ticking.over = true;
                return;
            }
            young.take(&mut grown);
        }
        for body in grown.drain(..).flatten() {
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
