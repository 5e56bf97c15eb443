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
//! 5. The shards are made when two threads first meet at the lock of the first list: a root that all requests share has
//!    one for each of several threads, and all else has one list.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use super::slab::{Chunk, Place, Slab};
use crate::fault::{Fault, planted};
use crate::sync::{
    AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, fence, lock, thread_number, try_lock,
};

/// A waker's place in a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Zero is the first list, the others are shards.
    list: u32,
    place: Place,
}

/// The places of one waker with several ends, in the order in which it was registered with them. One needs no
/// allocation.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    first: Option<Key>,
    #[allow(
        clippy::box_collection,
        reason = "one word in every scope, not three, and seldom used"
    )]
    more: Option<Box<Vec<Key>>>,
}

impl Keys {
    pub(crate) const fn new() -> Keys {
        Keys { first: None, more: None }
    }

    pub(crate) fn push(&mut self, key: Key) {
        match self.first {
            None => self.first = Some(key),
            Some(_) => self.more.get_or_insert_default().push(key),
        }
    }

    /// Takes all out, in their order.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Key> + use<> {
        let more = self.more.take().map_or_else(Vec::new, |more| *more);
        self.first.take().into_iter().chain(more)
    }
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

    /// Adds `waker`, unless `ended`, which is asked under the lock (invariant 4).
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

    /// The list for a waker of this thread, locked, and its number (invariant 5).
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

    /// Wakes all. When it returns all were woken, also those that another call is waking (invariant 2).
    pub(crate) fn tell(&self) {
        let mut panic = tell(&self.first);
        let shards = self.shards.get().filter(|_| !planted(Fault::ForgetsShards));
        for shard in shards.into_iter().flatten() {
            panic = tell(&shard.0).or(panic);
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiters")
    }
}

type Panic = Box<dyn Any + Send>;

/// Wakes all of one list. It ends where no waker is left and none is being woken.
fn tell(list: &Mutex<List>) -> Option<Panic> {
    let mut panic = None;
    loop {
        let mut locked = lock(list);
        let telling = match &locked.telling {
            Some(telling) => Arc::clone(telling),
            None if locked.wakers.is_empty() => return panic,
            None => {
                let telling = Arc::new(Telling::new(locked.wakers.take()));
                if !planted(Fault::HidesWhoIsWoken) {
                    locked.telling = Some(Arc::clone(&telling));
                }
                telling
            }
        };
        drop(locked);
        match telling.tell() {
            Told::All(told) => panic = told.or(panic),
            Told::Inside(told) => return told.or(panic),
        }
        let told = lock(list).telling.take_if(|known| Arc::ptr_eq(known, &telling));
        // The wakers go with the last who tells (invariant 1).
        drop(told);
    }
}

/// Wakers that are being woken, a chunk at a time, by one call or by several.
struct Telling {
    alone: (Option<Waker>, AtomicBool),
    chunks: Vec<(Chunk, AtomicBool)>,
    next: AtomicUsize,
    /// The threads that are at it.
    tellers: Mutex<Vec<Arc<Teller>>>,
}

/// One thread that wakes.
struct Teller {
    thread: usize,
    /// The address of the waker that it wakes just now.
    waking: AtomicUsize,
    /// Whether that waker, in turn, tells.
    nests: AtomicBool,
}

/// What came of a call, and the last panic of a waker.
enum Told {
    All(Option<Panic>),
    /// The call was made by a waker that this thread is waking: an outer one goes on.
    Inside(Option<Panic>),
}

impl Telling {
    fn new((alone, chunks): (Option<Waker>, Vec<Chunk>)) -> Telling {
        let chunks = chunks.into_iter().map(|chunk| (chunk, AtomicBool::new(false))).collect();
        let alone = (alone, AtomicBool::new(false));
        Telling { alone, chunks, next: AtomicUsize::new(0), tellers: Mutex::new(Vec::new()) }
    }

    /// Wakes all that were not woken yet (invariant 2).
    fn tell(&self) -> Told {
        let thread = thread_number();
        let mut tellers = lock(&self.tellers);
        let outer = tellers.iter().find(|teller| teller.thread == thread).cloned();
        if let Some(outer) = outer {
            drop(tellers);
            if outer.nests.swap(true, Ordering::Relaxed) {
                return Told::Inside(None);
            }
            let panic = self.wake_all(&outer, true);
            outer.nests.store(false, Ordering::Relaxed);
            return Told::Inside(panic);
        }
        let here =
            Arc::new(Teller { thread, waking: AtomicUsize::new(0), nests: AtomicBool::new(false) });
        tellers.push(Arc::clone(&here));
        drop(tellers);
        let panic = self.wake_all(&here, false);
        lock(&self.tellers).retain(|teller| teller.thread != thread);
        Told::All(panic)
    }

    /// Wakes the chunks that nobody has begun, then those that somebody has begun and not finished: that thread may not
    /// run for a while.
    fn wake_all(&self, teller: &Teller, inside: bool) -> Option<Panic> {
        let (alone, woken) = &self.alone;
        let mut panic = teller.wake_each(alone.iter(), woken, inside);
        while let Some((chunk, woken)) = self.chunks.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            panic = teller.wake_each(chunk.wakers(), woken, inside).or(panic);
        }
        for (chunk, woken) in &self.chunks {
            panic = teller.wake_each(chunk.wakers(), woken, inside).or(panic);
        }
        panic
    }
}

impl Teller {
    /// Wakes `wakers`, unless somebody has woken all of them. `inside` a waker that this thread wakes, all but that one.
    fn wake_each<'a>(
        &self,
        wakers: impl Iterator<Item = &'a Waker>,
        woken: &AtomicBool,
        inside: bool,
    ) -> Option<Panic> {
        // Acquire, Release: whoever finds that all were woken goes on after what waking them did.
        if woken.load(Ordering::Acquire) {
            return None;
        }
        let (mut panic, mut all) = (None, true);
        for waker in wakers {
            let address = ptr::from_ref(waker).addr();
            if !inside {
                self.waking.store(address, Ordering::Relaxed);
            } else if self.waking.load(Ordering::Relaxed) == address {
                all = false;
                continue;
            }
            panic = wake(waker).or(panic);
        }
        if all {
            woken.store(true, Ordering::Release);
        }
        panic
    }
}

/// Invariant 3.
fn wake(waker: &Waker) -> Option<Panic> {
    catch_unwind(AssertUnwindSafe(|| waker.wake_by_ref())).err()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize as Counter;
    use std::task::Wake;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Counts(Counter);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counting() -> (Arc<Counts>, Waker) {
        let counts = Arc::<Counts>::default();
        (Arc::clone(&counts), Waker::from(counts))
    }

    #[test]
    fn all_that_were_left_are_woken_once_and_let_go() {
        let waiters = Waiters::new();
        let all: Vec<_> = (0..5_000)
            .map(|_| {
                let (counts, waker) = counting();
                (counts, waiters.insert(&waker, || false).unwrap())
            })
            .collect();
        for (_, key) in all.iter().step_by(2) {
            waiters.remove(*key);
        }
        waiters.tell();
        waiters.tell();
        for (n, (counts, key)) in all.into_iter().enumerate() {
            waiters.remove(key);
            assert_eq!(counts.0.load(Ordering::SeqCst), n % 2, "{n}");
            assert_eq!(Arc::strong_count(&counts), 1, "{n}: its waker is kept");
        }
    }

    #[test]
    fn nobody_is_added_after_the_end() {
        let waiters = Waiters::new();
        let (counts, waker) = counting();
        assert!(waiters.insert(&waker, || true).is_none());
        drop(waker);
        assert_eq!(Arc::strong_count(&counts), 1);
    }

    #[test]
    fn a_waker_that_panics_keeps_none_from_being_woken() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("the waker of a test");
            }
        }
        let waiters = Waiters::new();
        let mut all = Vec::new();
        for n in 0..100 {
            if n % 10 == 3 {
                assert!(waiters.insert(&Waker::from(Arc::new(Panics)), || false).is_some());
            }
            let (counts, waker) = counting();
            assert!(waiters.insert(&waker, || false).is_some());
            all.push(counts);
        }
        assert!(catch_unwind(AssertUnwindSafe(|| waiters.tell())).is_err());
        assert!(all.iter().all(|counts| counts.0.load(Ordering::SeqCst) == 1));
        waiters.tell();
    }

    #[test]
    fn who_meets_others_at_the_lock_gets_a_list_of_its_thread() {
        let waiters = Waiters::new();
        let first = lock(&waiters.first);
        let (counts, waker) = counting();
        let key = thread::scope(|scope| {
            scope.spawn(|| waiters.insert(&waker, || false).unwrap()).join().unwrap()
        });
        assert_ne!(key.list, 0);
        drop(first);
        let second = waiters.insert(&waker, || false).unwrap();
        assert_ne!(second.list, 0, "from now on");
        waiters.remove(second);
        waiters.tell();
        assert_eq!(counts.0.load(Ordering::SeqCst), 1);
    }

    /// A waker that tells of the same end, as code that is polled where it is woken may.
    #[test]
    fn who_tells_while_others_tell_returns_when_all_were_woken() {
        struct Tells {
            waiters: Arc<Waiters>,
            all: Vec<Arc<Counts>>,
            entered: AtomicBool,
            seen: Counter,
        }
        impl Wake for Tells {
            fn wake(self: Arc<Self>) {
                if !self.entered.swap(true, Ordering::SeqCst) {
                    self.waiters.tell();
                    let woken = |counts: &&Arc<Counts>| counts.0.load(Ordering::SeqCst) > 0;
                    self.seen.store(self.all.iter().filter(woken).count(), Ordering::SeqCst);
                }
            }
        }
        let waiters = Arc::new(Waiters::new());
        let (all, wakers): (Vec<_>, Vec<_>) = (0..3_000).map(|_| counting()).unzip();
        let tells = Arc::new(Tells {
            waiters: Arc::clone(&waiters),
            all,
            entered: AtomicBool::new(false),
            seen: Counter::new(0),
        });
        for (n, waker) in wakers.iter().enumerate() {
            if n % 1_000 == 500 {
                assert!(waiters.insert(&Waker::from(Arc::clone(&tells)), || false).is_some());
            }
            assert!(waiters.insert(waker, || false).is_some());
        }
        waiters.tell();
        assert_eq!(tells.seen.load(Ordering::SeqCst), 3_000);
        assert!(tells.all.iter().all(|counts| counts.0.load(Ordering::SeqCst) <= 2));
    }

    #[test]
    fn keys_come_back_in_their_order() {
        let (_, waker) = counting();
        let waiters = Waiters::new();
        let given: Vec<_> = (0..4).map(|_| waiters.insert(&waker, || false).unwrap()).collect();
        let mut keys = Keys::default();
        given.iter().for_each(|key| keys.push(*key));
        let places =
            |keys: &mut dyn Iterator<Item = Key>| keys.map(|key| key.place).collect::<Vec<_>>();
        assert_eq!(places(&mut keys.take()), places(&mut given.into_iter()));
        assert_eq!(keys.take().count(), 0);
    }
}
