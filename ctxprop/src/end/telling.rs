//! Wakers that were taken out of a set and are being woken, by one thread or by several that help.
//!
//! # Invariants
//! 1. When [`Telling::tell`] returns, each was woken, by this thread or by another. A waker may be woken twice: that other
//!    thread may not run for a while.
//! 2. A waker that panics keeps none of the others from being woken.
//! 3. A thread is among the tellers until its last call of a waker has returned: that another thread has woken the same one
//!    meanwhile is not enough. One of `FuturesUnordered` that is told a second time does nothing, as the first call is
//!    about to put its future into the queue.
//! 4. A waker that itself tells, as code does that is polled where it is woken, wakes the others in between. It is not woken
//!    inside of itself, and nothing goes deeper than that.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use super::slab::Chunk;
use crate::fault::{Fault, planted};
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, lock, thread_number};

/// What a waker panicked with.
pub(super) type Panic = Box<dyn Any + Send>;

/// Wakers that are being woken, a chunk at a time, by one call or by several.
pub(super) struct Telling {
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

/// What came of a call.
pub(super) struct Told {
    /// Whether it was made by a waker that this thread is waking: an outer call goes on.
    pub(super) inside: bool,
    /// Whether another thread is still inside a call of one of the wakers (invariant 3).
    pub(super) others: bool,
    /// The last panic of a waker.
    pub(super) panic: Option<Panic>,
}

impl Telling {
    pub(super) fn new((alone, chunks): (Option<Waker>, Vec<Chunk>)) -> Telling {
        let chunks = chunks.into_iter().map(|chunk| (chunk, AtomicBool::new(false))).collect();
        let alone = (alone, AtomicBool::new(false));
        Telling { alone, chunks, next: AtomicUsize::new(0), tellers: Mutex::new(Vec::new()) }
    }

    /// Wakes all that were not woken yet.
    pub(super) fn tell(&self) -> Told {
        let thread = thread_number();
        let mut tellers = lock(&self.tellers);
        let outer = tellers.iter().find(|teller| teller.thread == thread).cloned();
        if let Some(outer) = outer {
            drop(tellers);
            let mut panic = None;
            if !outer.nests.swap(true, Ordering::Relaxed) {
                panic = self.wake_all(&outer, true);
                outer.nests.store(false, Ordering::Relaxed);
            }
            return Told { inside: true, others: self.others(thread), panic };
        }
        let here =
            Arc::new(Teller { thread, waking: AtomicUsize::new(0), nests: AtomicBool::new(false) });
        tellers.push(Arc::clone(&here));
        drop(tellers);
        let panic = self.wake_all(&here, false);
        lock(&self.tellers).retain(|teller| teller.thread != thread);
        Told { inside: false, others: self.others(thread), panic }
    }

    /// Whether a thread other than this one is at it.
    pub(super) fn others(&self, thread: usize) -> bool {
        !planted(Fault::ForgetsWhoElseTells)
            && lock(&self.tellers).iter().any(|teller| teller.thread != thread)
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

/// Invariant 2.
fn wake(waker: &Waker) -> Option<Panic> {
    catch_unwind(AssertUnwindSafe(|| waker.wake_by_ref())).err()
}
