//! A model of ends, waiting and telling: the shipped source, run by `shuttle` in many orders of its threads' steps.
//!
//! ```console
//! $ RUSTFLAGS="--cfg ctxprop_model" cargo test -p ctxprop --lib model:: -- --test-threads 1
//! ```
//!
//! Each scenario is run in `CTXPROP_MODEL_RUNS` orders (2,000 where that is not set), half of them at random, half with few
//! changes of threads at the worst places. For each [`Fault`] that can be planted there is a scenario that must find it:
//! one that finds nothing would prove nothing. Orders of memory that are weaker than the program's are not modelled; what
//! the fences are for is said where they stand.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Wake, Waker};
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::{Config, Runner, thread};
use tokio::time::Instant;

use crate::end::Keys;
use crate::fault::{Fault, plant};
use crate::{Background, Canceller, Cause, Ctx};

fn runs() -> usize {
    std::env::var("CTXPROP_MODEL_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2_000)
}

/// Runs `scenario` in many orders; panics where one fails.
fn check(scenario: fn()) {
    let mut config = Config::new();
    config.silence_warnings = true;
    Runner::new(RandomScheduler::new(runs() / 2), config.clone()).run(scenario);
    Runner::new(PctScheduler::new(3, runs() / 2), config).run(scenario);
}

/// The same, where `fault` is planted: one order must fail.
fn finds(fault: Fault, scenario: fn()) {
    plant(Some(fault));
    let found = catch_unwind(AssertUnwindSafe(|| check(scenario))).is_err();
    plant(None);
    assert!(found, "{fault:?} was not found");
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Notes that it was woken, some steps after the call began.
#[derive(Default)]
struct Slow(AtomicUsize);

impl Slow {
    fn new() -> (Arc<Slow>, Waker) {
        let slow = Arc::<Slow>::default();
        (Arc::clone(&slow), Waker::from(slow))
    }

    fn woken(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        thread::yield_now();
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A chain of three that can end, each below the one before.
fn three() -> [(Ctx, Canceller); 3] {
    let top = Ctx::background().with_cancel();
    let middle = top.0.with_value(1_u8).with_cancel();
    let child = middle.0.with_cancel();
    [top, middle, child]
}

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

/// The first cause stays, for all who look, and a child has the cause that its parent has (3.1.3).
fn a_child_has_its_parents_cause() {
    let [top, middle, child] = three();
    let (end_top, end_middle) = (top.1.clone(), middle.1.clone());
    let mut threads = vec![
        thread::spawn(move || end_top.cancel_with(Cause::Shutdown)),
        thread::spawn(move || end_middle.cancel_with(Cause::Finished)),
    ];
    for _ in 0..2 {
        let child = child.0.with_value(2_u8);
        threads.push(thread::spawn(move || {
            let first = child.cause();
            assert_eq!(first.is_some(), first.is_some() && child.ended());
            assert!(first.is_none() || child.cause() == first, "it did not stay");
        }));
    }
    join(threads);
    assert_eq!(top.0.cause(), Some(Cause::Shutdown));
    assert_eq!(child.0.cause(), middle.0.cause());
    assert!(matches!(middle.0.cause(), Some(Cause::Shutdown | Cause::Finished)));
}

/// An end that came before, above, is the first (3.1.3), and is there for all below when `cancel` returns (3.1.2), also for
/// a child that is being made just then (3.1.4).
fn what_is_above_ends_what_is_below() {
    let [top, middle, child] = three();
    let parent = child.0.clone();
    let threads = vec![
        thread::spawn(move || {
            top.1.cancel_with(Cause::Shutdown);
            assert!(middle.0.ended() && child.0.ended());
            middle.1.cancel();
            assert_eq!(middle.0.cause(), Some(Cause::Shutdown));
        }),
        thread::spawn(move || {
            let late = parent.with_timeout(Duration::from_secs(3_600)).with_cancel().0;
            let ended = parent.ended();
            assert!(!ended || late.cause() == Some(Cause::Shutdown));
            drop(late);
        }),
    ];
    join(threads);
}

/// A custom cause is there, whole, as soon as the end is.
fn an_error_is_there_with_its_end() {
    let [_top, middle, child] = three();
    let mut threads: Vec<_> = ["one", "other"]
        .into_iter()
        .map(|text| {
            let canceller = middle.1.clone();
            thread::spawn(move || canceller.cancel_with(std::io::Error::other(text)))
        })
        .collect();
    let looks = child.0.clone();
    threads.push(thread::spawn(move || {
        if looks.ended() {
            let cause = looks.cause();
            assert!(matches!(cause, Some(Cause::Custom(_))), "{cause:?}");
            assert_eq!(looks.cause(), cause, "it did not stay");
        }
    }));
    join(threads);
    assert!(matches!(child.0.cause(), Some(Cause::Custom(_))));
    assert_eq!(child.0.cause(), middle.0.cause());
}

/// A deadline that has passed came first, whoever sees it (3.1.5).
fn a_deadline_that_nobody_saw_came_first() {
    let (top, end_top) = Ctx::background().with_cancel();
    let (middle, end_middle) = top.with_timeout(Duration::from_nanos(1)).with_cancel();
    let child = middle.with_cancel().0;
    while middle.deadline().is_some_and(|deadline| Instant::now() <= deadline) {}
    let (slow, waker) = Slow::new();
    let waits = child.register(&waker, &mut Keys::new());
    let looks = child.clone();
    join(vec![
        thread::spawn(move || end_middle.cancel()),
        thread::spawn(move || end_top.cancel_with(Cause::Shutdown)),
        thread::spawn(move || assert!(looks.is_done())),
    ]);
    assert_eq!(middle.cause(), Some(Cause::DeadlineExceeded));
    assert_eq!(child.cause(), Some(Cause::DeadlineExceeded));
    assert!(!waits || slow.woken());
}

/// A callback runs once, unless `stop` was in time, which is when it tells so (3.1.7).
fn a_callback_runs_or_was_stopped() {
    let [top, _middle, child] = three();
    let ctx = child.0.clone();
    let (tell, told) = mpsc::channel();
    let stopped = Arc::new(AtomicBool::new(false));
    let by_us = Arc::clone(&stopped);
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let other = tell.clone();
            let one = ctx.on_done(move |_| tell.send(1).unwrap());
            ctx.on_done(move |_| other.send(2).unwrap());
            by_us.store(one.stop(), Ordering::SeqCst);
        }),
    ]);
    // One that was lost goes with its context. The others run beside the model, in a thread of their own: the channel is
    // closed when all are over.
    drop(child);
    let mut ran: Vec<i32> = told.iter().collect();
    ran.sort_unstable();
    let expected: &[i32] = if stopped.load(Ordering::SeqCst) { &[2] } else { &[1, 2] };
    assert_eq!(ran, expected);
}

/// The last handle goes while what is above ends: nothing of it is left, and nobody waits for anybody.
fn the_last_handle_goes_during_the_end() {
    let (top, end_top) = Ctx::background().with_cancel();
    let value = Arc::new(());
    let child = top.with_value(Arc::clone(&value)).with_cancel().0;
    let grandchild = child.with_cancel().0;
    drop(grandchild.on_done(|_| {}));
    drop(child.on_done(|_| {}));
    join(vec![
        thread::spawn(move || end_top.cancel()),
        thread::spawn(move || drop(child)),
        thread::spawn(move || drop(grandchild)),
    ]);
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(top.live_children(), 0);
}

#[test]
fn every_order_of_ends_waiting_and_telling_holds() {
    for scenario in [
        whoever_waits_is_woken,
        who_tells_waits_for_all,
        who_tells_knows_of_calls_that_last,
        a_child_has_its_parents_cause,
        what_is_above_ends_what_is_below,
        an_error_is_there_with_its_end,
        a_deadline_that_nobody_saw_came_first,
        a_callback_runs_or_was_stopped,
        the_last_handle_goes_during_the_end,
    ] {
        check(scenario);
    }
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::AddsAfterTheEnd, whoever_waits_is_woken);
    finds(Fault::ForgetsShards, whoever_waits_is_woken);
    finds(Fault::TellsFirst, whoever_waits_is_woken);
    finds(Fault::HidesWhoIsWoken, who_tells_waits_for_all);
    finds(Fault::ForgetsWhoElseTells, who_tells_knows_of_calls_that_last);
    finds(Fault::StoresTheErrorLate, an_error_is_there_with_its_end);
    finds(Fault::EndsWithoutSettling, what_is_above_ends_what_is_below);
    finds(Fault::InheritsPastOthers, a_child_has_its_parents_cause);
    finds(Fault::AddsAndLooksNoMore, a_callback_runs_or_was_stopped);
}
