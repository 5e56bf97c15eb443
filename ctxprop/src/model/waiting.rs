//! Who waits is woken, once the end is there, and whoever tells goes on only when all were.

use std::sync::Arc;
use std::task::{Wake, Waker};

use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread;

use super::{Slow, check, finds, join, three};
use crate::end::Keys;
use crate::fault::Fault;

/// Three threads wait, two end what they wait for: whoever was registered is woken, and nothing is left of those who
/// take themselves back.
fn whoever_waits_is_woken() {
    let [top, middle, child] = three();
    let wakers: Vec<_> = (0..3).map(|_| Slow::new()).collect();
    let mut threads: Vec<_> = wakers
        .iter()
        .enumerate()
        .map(|(n, (slow, waker))| {
            let (slow, waker) = (Arc::clone(slow), waker.clone());
            let ctx = if n == 0 { middle.0.clone() } else { child.0.clone() };
            thread::spawn(move || {
                let mut keys = Keys::new();
                let registered = ctx.register(&waker, &mut keys);
                assert!(registered || ctx.ended());
                if n == 2 {
                    ctx.unregister(&mut keys);
                } else if !registered {
                    slow.0.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for (_, canceller) in [top, middle] {
        threads.push(thread::spawn(move || canceller.cancel()));
    }
    join(threads);
    for (n, (slow, _)) in wakers.iter().enumerate().filter(|(n, _)| *n < 2) {
        assert!(slow.woken(), "{n} waits for ever");
    }
    drop(child);
    for (slow, waker) in wakers {
        drop(waker);
        assert_eq!(Arc::strong_count(&slow), 1, "its waker was kept");
    }
}

/// Who finds the end and tells of it goes on once all were woken, whoever woke them.
fn who_tells_waits_for_all() {
    let [top, middle, child] = three();
    let slow: Vec<_> = (0..3).map(|_| Slow::new()).collect();
    for (n, (_, waker)) in slow.iter().enumerate() {
        let ctx = if n == 0 { &middle.0 } else { &child.0 };
        assert!(ctx.register(waker, &mut Keys::new()));
    }
    let slow: Arc<Vec<_>> = Arc::new(slow.into_iter().map(|(slow, _)| slow).collect());
    let mut threads = vec![thread::spawn(move || top.1.cancel())];
    for ctx in [middle.0.clone(), child.0.clone()] {
        let slow = Arc::clone(&slow);
        threads.push(thread::spawn(move || {
            if ctx.ended() {
                ctx.tell();
                assert!(slow.iter().all(|slow| slow.woken()), "it went on too early");
            }
        }));
    }
    join(threads);
    assert!(slow.iter().all(|slow| slow.woken()));
}

/// A waker that does nothing where another call of it has begun, as those of `FuturesUnordered`.
#[derive(Default)]
struct Queues {
    begun: AtomicBool,
    queued: AtomicBool,
}

impl Wake for Queues {
    fn wake(self: Arc<Self>) {
        if !self.begun.swap(true, Ordering::SeqCst) {
            thread::yield_now();
            self.queued.store(true, Ordering::SeqCst);
        }
    }
}

/// Who is told that all calls of wakers are over finds what they did.
fn who_tells_knows_of_calls_that_last() {
    let [top, middle, child] = three();
    let queues: Vec<_> = (0..3).map(|_| Arc::<Queues>::default()).collect();
    for queue in &queues {
        assert!(child.0.register(&Waker::from(Arc::clone(queue)), &mut Keys::new()));
    }
    let mut threads = vec![thread::spawn(move || top.1.cancel())];
    for ctx in [middle.0.clone(), child.0.clone()] {
        let queues = queues.clone();
        threads.push(thread::spawn(move || {
            if ctx.ended() && ctx.tell() {
                let queued = |queue: &Arc<Queues>| queue.queued.load(Ordering::SeqCst);
                assert!(queues.iter().all(queued), "a call of a waker is not over");
            }
        }));
    }
    join(threads);
}

#[test]
fn every_order_holds() {
    check(&[whoever_waits_is_woken, who_tells_waits_for_all, who_tells_knows_of_calls_that_last]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::AddsAfterTheEnd, whoever_waits_is_woken);
    finds(Fault::ForgetsShards, whoever_waits_is_woken);
    finds(Fault::TellsFirst, whoever_waits_is_woken);
    finds(Fault::HidesWhoIsWoken, who_tells_waits_for_all);
    finds(Fault::ForgetsWhoElseTells, who_tells_knows_of_calls_that_last);
}
