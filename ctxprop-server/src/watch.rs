//! [`Watchers`]: see to it that a response body ends with its context, though nobody polls it.
//!
//! A server does not poll a body that it cannot send: its peer reads nothing. So each body that lasts has a task that
//! waits for the end of its context. Most bodies are over before one could be spawned: so a body is put on a list, and
//! gets its task when it is still there as the list's own task looks. One that is over sooner leaves the list, and its
//! memory serves the next one.
//!
//! # Invariants
//! 1. While a body is on a list, one task will look at it (`task.rs`). That task ends once it finds its list empty.
//! 2. It looks within `TICK`, or, where a body ends with the root or at its deadline alone, when the first of these may have
//!    come. So at the end of its context a body is dropped within `TICK` and `GRACE`, which a server that does poll it has
//!    to let it say its last words.
//! 3. Where nobody polls it then either, within `STALLED`, what it was to be sent on is closed.
//! 4. Threads share a list only where there are more of them than lists, and lists share no cache line.
//! 5. A place is free only once its body is over and whoever held that has done with it: so nobody else knows what is put
//!    there next.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use ctxprop::Ctx;
use tokio::runtime::Handle;
use tokio::time::Instant;

mod task;

use task::{TICK, Ticking, later};

/// A body that lasts no longer than its context, and the place of one. It is shared by whoever holds the body and the list;
/// its task has a `Weak`.
pub trait Watched: Any + Send + Sync {
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
    /// It cannot tell: it is being polled just now, or is about to be there.
    Polled,
}

/// What can end the context of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The root of its watchers, or its deadline, if it has one, and nothing else.
    With(Option<Instant>),
    /// Anything, at any time.
    Somehow,
}

/// The bodies that have no task yet, in a list for each thread. Clones share the lists.
#[derive(Clone)]
pub struct Watchers {
    shared: Arc<Lists>,
}

struct Lists {
    lists: [List; LISTS],
    /// What the contexts of all bodies end with that [end with it](Ends::With).
    root: Ctx,
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers").finish_non_exhaustive()
    }
}

const LISTS: usize = 16;

/// So many free places a list keeps while nothing is on it.
const SPARE: usize = 64;

#[derive(Default)]
#[repr(align(128))]
struct List {
    young: Mutex<Young>,
}

#[derive(Default)]
struct Young {
    /// At the places that are free what the next body is put into.
    bodies: Vec<Option<Arc<dyn Watched>>>,
    /// The places in `bodies` that are free.
    free: Vec<u32>,
    /// How often `bodies` was taken away.
    round: u32,
    /// When the task looks, where there is one.
    looks: Option<Instant>,
    /// That is within `TICK`.
    soon: bool,
    /// Of the task, to have it look sooner.
    waker: Option<Waker>,
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
    /// For bodies of which some [end with](Ends::With) this root.
    pub fn below(root: &Ctx) -> Watchers {
        let shared = Lists { lists: <[List; LISTS]>::default(), root: root.clone() };
        Watchers { shared: Arc::new(shared) }
    }

    /// Has a body end with its context, which ends so: where it is to be put, and its place on the list. Outside of a runtime
    /// nothing can end it until somebody polls it, and it has none.
    ///
    /// A body that is over is [forgotten](Watchers::forget), so that the next one gets its place. One that is not is let
    /// go once it has a task.
    #[inline]
    pub fn watch<W: Watched + Default>(&self, ends: Ends) -> (Arc<W>, Option<Place>) {
        let list = this_thread();
        let mut young = self.list(list).lock();
        let task = match young.is_too_late(ends) {
            false => None,
            true => match young.hurry(ends) {
                Some(task) => Some(task),
                None => return (Arc::default(), None),
            },
        };
        let (body, index) = young.place();
        let place = index.map(|index| Place { list, round: young.round, index });
        drop(young);
        if let Some(task) = task {
            self.see_to(task, list);
        }
        (body, place)
    }

    /// Behind the lock, since a runtime that has gone down drops what it is given.
    #[cold]
    fn see_to(&self, task: Task, list: u16) {
        match task {
            Task::Looks => {}
            Task::Woken(waker) => waker.wake(),
            Task::Spawned(runtime) => {
                let ticking = Ticking::over(self.clone(), list);
                drop(runtime.spawn(task::tick(ticking)));
            }
        }
    }

    fn list(&self, list: u16) -> &List {
        &self.shared.lists[usize::from(list) % LISTS]
    }

    fn root(&self) -> &Ctx {
        &self.shared.root
    }

    /// The body at `place`, which these watchers gave it, is over, and whoever held it has done with it: nobody has to see to
    /// it any more.
    #[inline]
    pub fn forget(&self, place: Place) {
        let mut young = self.list(place.list).lock();
        // It may have its task by now.
        if young.round == place.round {
            young.free.push(place.index);
        }
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

/// What is to be done for a list's task to look in time.
enum Task {
    Looks,
    Woken(Waker),
    Spawned(Handle),
}

impl Young {
    /// A place that nothing is in, and its number on the list. It has none where so many are on it as are never there.
    #[inline]
    fn place<W: Watched + Default>(&mut self) -> (Arc<W>, Option<u32>) {
        if let Some(&index) = self.free.last()
            && let Some(Some(place)) = self.bodies.get(index as usize)
            && let Ok(place) = Arc::downcast::<W>(Arc::clone(place) as Arc<dyn Any + Send + Sync>)
        {
            self.free.pop();
            return (place, Some(index));
        }
        let place = Arc::<W>::default();
        let index = u32::try_from(self.bodies.len()).ok();
        if index.is_some() {
            self.bodies.push(Some(Arc::clone(&place) as Arc<dyn Watched>));
        }
        (place, index)
    }

    /// Has the task look in time for what ends so. None where there can be no task.
    #[cold]
    fn hurry(&mut self, ends: Ends) -> Option<Task> {
        let spawned = match self.looks {
            Some(_) => None,
            None => Some(Handle::try_current().ok()?),
        };
        let ends = match ends {
            Ends::Somehow => {
                self.soon = true;
                Some(Instant::now() + TICK)
            }
            Ends::With(deadline) => deadline,
        };
        let looks = self.looks.unwrap_or_else(later);
        self.looks = Some(ends.map_or(looks, |ends| ends.min(looks)));
        Some(match (spawned, self.waker.take()) {
            (Some(runtime), _) => Task::Spawned(runtime),
            (None, Some(waker)) => Task::Woken(waker),
            // It has not begun to wait, or was woken before.
            (None, None) => Task::Looks,
        })
    }

    /// Whether what ends so may end before the task looks.
    #[inline]
    fn is_too_late(&self, ends: Ends) -> bool {
        match (self.looks, ends) {
            (Some(_), Ends::Somehow) => !self.soon,
            (Some(looks), Ends::With(deadline)) => {
                deadline.is_some_and(|deadline| deadline < looks)
            }
            (None, _) => true,
        }
    }

    fn is_empty(&self) -> bool {
        self.free.len() == self.bodies.len()
    }

    /// All that is on the list, which is empty then.
    fn take(&mut self, into: &mut Vec<Option<Arc<dyn Watched>>>) {
        std::mem::swap(into, &mut self.bodies);
        for index in self.free.drain(..) {
            if let Some(free) = into.get_mut(index as usize) {
                // Nobody has put a body into it since.
                *free = None;
            }
        }
        self.round = self.round.wrapping_add(1);
    }
}
