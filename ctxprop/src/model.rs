//! A model of ends, waiting and telling, and of the code that runs under them: the shipped source, run by `shuttle` in many
//! orders of its threads' steps.
//!
//! ```console
//! $ RUSTFLAGS="--cfg ctxprop_model" cargo test -p ctxprop --lib model:: -- --test-threads 1
//! ```
//!
//! Each scenario is run in `CTXPROP_MODEL_RUNS` orders (2,000 where that is not set), half of them at random, half with few
//! changes of threads at the worst places. A future is polled by `shuttle` as well: one that nobody wakes is a deadlock, which
//! it tells. For each [`Fault`] that can be planted there is a scenario that must find it: one that finds nothing would prove
//! nothing. Orders of memory that are weaker than the program's are not modelled; what the fences are for is said where they
//! stand, and `end/count.rs` has tests for miri.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{Config, MaxSteps, Runner, thread};

use crate::fault::{Fault, plant};
use crate::{Background, Canceller, Ctx};

mod callbacks;
mod causes;
mod code;
mod joins;
mod leaves;
mod scopes;
mod shields;
mod tasks;
mod waiting;

fn runs() -> usize {
    std::env::var("CTXPROP_MODEL_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2_000)
}

/// Runs `scenario` in so many orders; panics where one fails.
fn run(scenario: fn(), runs: usize) {
    let mut config = Config::new();
    config.silence_warnings = true;
    // Many times what any of them needs.
    config.max_steps = MaxSteps::FailAfter(50_000);
    Runner::new(RandomScheduler::new(runs / 2), config.clone()).run(scenario);
    Runner::new(PctScheduler::new(3, runs / 2), config).run(scenario);
}

/// Each of these holds in all orders.
fn check(scenarios: &[fn()]) {
    scenarios.iter().for_each(|scenario| run(*scenario, runs()));
}

/// Where `fault` is planted one order must fail: some are rare, and the first is enough.
fn finds(fault: Fault, scenario: fn()) {
    plant(Some(fault));
    let found = catch_unwind(AssertUnwindSafe(|| run(scenario, 4 * runs()))).is_err();
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
