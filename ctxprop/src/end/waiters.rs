//! Who waits for one end: wakers, and how all of them are woken.
//!
//! # Invariants
//! 1. Foreign code never runs under a lock: wakers are cloned before it, and woken and dropped after it.
//! 2. Whoever finds the end helps to tell of it, and goes on once all were woken: code that unwinds early would else drop
//!    what is about to be woken, and to unwind. So the wakers that are being woken stay visible until each was, and a
//!    waker may be woken twice.
//! 3. A waker that panics keeps none of the others from being woken.
//! 4. No waker is added once the word is set, which is asked under the lock. All are taken out only after that, so a
//!    place that was taken is never given to somebody else.
//! 4. The shards are made when two threads first meet at the lock of the first list: a root that all requests share has
//!    one for each of several threads, and all else has one list.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use super::slab::{Place, Slab};
use super::telling::{Panic, Telling, Told};
use crate::fault::{Fault, planted};
use crate::sync::{Mutex, MutexGuard, Ordering, fence, lock, thread_number, try_lock};

/// A waker's place in a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Zero is the first list, the others are shards.
    list: u32,
    place: Place,
}

pub(crate) struct Waiters {
    first: Mutex<List>,
    shards: OnceLock<Box<[Shard]>>,
}

/// On cache lines of its own.
#[repr(align(128))]
struct Shard(Mutex<List>);

struct List {
    wakers: Slab,
    /// Those that are being woken.
    telling: Option<Arc<Telling>>,
}

const SHARDS: u32 = 16;

impl List {
    const fn new() -> List {
        List { wakers: Slab::new(), telling: None }
    }
}

impl Waiters {
    pub(crate) fn new() -> Waiters {
        Waiters { first: Mutex::new(List::new()), shards: OnceLock::new() }
    }

    /// Adds `waker`, unless `ended`, which is asked under the lock (invariant 3).
    pub(crate) fn insert(&self, waker: &Waker, ended: impl Fn() -> bool) -> Option<Key> {
        let waker = waker.clone();
        let (number, mut list) = self.list_here();
        if ended() && !planted(Fault::AddsAfterTheEnd) {
            drop(list);
            return None;
        }
        Some(Key { list: number, place: list.wakers.insert(waker) })
    }

    /// Takes a waker out, if it was not taken to be woken.
    pub(crate) fn remove(&self, key: Key) {
        let list = match key.list.checked_sub(1) {
            None => &self.first,
            Some(shard) => match self.shards.get().and_then(|shards| shards.get(shard as usize)) {
                Some(shard) => &shard.0,
                None => return,
            },
        };
        let waker = lock(list).wakers.remove(key.place);
        drop(waker);
    }

    /// The list for a waker of this thread, locked, and its number (invariant 4).
    fn list_here(&self) -> (u32, MutexGuard<'_, List>) {
        if self.shards.get().is_none()
            && let Some(list) = try_lock(&self.first)
        {
            return (0, list);
        }
        let shards = self
            .shards
            .get_or_init(|| (0..SHARDS).map(|_| Shard(Mutex::new(List::new()))).collect());
        // As in `End::register`: whoever tells sees the shards, or this one sees the end.
        fence(Ordering::SeqCst);
        let here = thread_number() % shards.len();
        (here as u32 + 1, lock(&shards[here].0))
    }

    /// Wakes all. When it returns all were woken, also those that another call is waking (invariant 2). False where that
    /// other call is not over.
    pub(crate) fn tell(&self) -> bool {
        let (mut settled, mut panic) = tell(&self.first);
        let shards = self.shards.get().filter(|_| !planted(Fault::ForgetsShards));
        for shard in shards.into_iter().flatten() {
            let (here, panicked) = tell(&shard.0);
            settled &= here;
            panic = panicked.or(panic);
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        settled
    }

    /// Whether another thread is inside a call of [`tell`](Waiters::tell).
    pub(crate) fn are_being_told(&self) -> bool {
        let here = thread_number();
        let by_others = |list: &Mutex<List>| {
            let telling = lock(list).telling.clone();
            telling.is_some_and(|telling| telling.others(here))
        };
        by_others(&self.first)
            || self.shards.get().into_iter().flatten().any(|shard| by_others(&shard.0))
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiters")
    }
}

/// Wakes all of one list. It ends where no waker is left and none is being woken, or only by others.
fn tell(list: &Mutex<List>) -> (bool, Option<Panic>) {
    let mut panic = None;
    loop {
        let mut locked = lock(list);
        let telling = match &locked.telling {
            Some(telling) => Arc::clone(telling),
            None if locked.wakers.is_empty() => return (true, panic),
            None => {
                let telling = Arc::new(Telling::new(locked.wakers.take()));
                if !planted(Fault::HidesWhoIsWoken) {
                    locked.telling = Some(Arc::clone(&telling));
                }
                telling
            }
        };
        drop(locked);
        let Told { inside, others, panic: panicked } = telling.tell();
        panic = panicked.or(panic);
        // It stays in sight until the last who tells leaves, which is asked as each does.
        if inside || others {
            return (!others, panic);
        }
        let told = lock(list).telling.take_if(|known| Arc::ptr_eq(known, &telling));
        // The wakers go with the last who tells (invariant 1).
        drop(told);
    }
}

#[cfg(test)]
mod tests;
