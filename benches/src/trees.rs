//! What crowds cost: a million contexts below one, waited for or not, and several threads that share a root. The peer is
//! `CancellationToken` of tokio-util.
//!
//! Times are CPU time of the thread, so that the machine's other work counts little.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use ctxprop::{Background, Canceller, Ctx};
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use crate::report::{Goal, Part, Report, Runs};

const MILLION: usize = 1_000_000;

/// This file's part.
pub const PART: Part = Part { name: "trees", runs: Runs::Whole, cases: &[], measure };

/// The CPU time that this thread has had.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

fn timed(f: impl FnOnce()) -> Duration {
    let before = cpu_time();
    f();
    cpu_time().saturating_sub(before)
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Futures that were polled once, each with a waker of its own.
fn waits<F: Future>(futures: impl Iterator<Item = F>) -> (Vec<Pin<Box<F>>>, Vec<Arc<Woken>>) {
    futures
        .map(|future| {
            let (mut future, woken) = (Box::pin(future), Arc::new(Woken::default()));
            let waker = Waker::from(Arc::clone(&woken));
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            (future, woken)
        })
        .unzip()
}

fn all_woken(woken: &[Arc<Woken>]) -> bool {
    woken.iter().all(|woken| woken.0.load(Ordering::Relaxed) > 0)
}

/// Nanoseconds a child to cancel a million of them.
fn per_child(took: Duration) -> f64 {
    took.as_nanos() as f64 / MILLION as f64
}

fn crowd() -> (Canceller, Vec<Ctx>) {
    let (root, canceller) = Ctx::background().with_cancel();
    let children = (0..MILLION).map(|_| root.with_cancel().0).collect();
    (canceller, children)
}

fn crowd_peer() -> (CancellationToken, Vec<CancellationToken>) {
    let root = CancellationToken::new();
    let children = (0..MILLION).map(|_| root.child_token()).collect();
    (root, children)
}

fn idle() -> Result<(f64, f64), String> {
    let (canceller, children) = crowd();
    let ours = timed(|| canceller.cancel());
    let (root, tokens) = crowd_peer();
    let peer = timed(|| root.cancel());
    let ended =
        children.iter().all(Ctx::is_done) && tokens.iter().all(|token| token.is_cancelled());
    if ended { Ok((per_child(ours), per_child(peer))) } else { Err("one did not end".to_owned()) }
}

fn waiting() -> Result<(f64, f64), String> {
    let (canceller, children) = crowd();
    let (futures, woken) = waits(children.iter().map(Ctx::done));
    let ours = timed(|| canceller.cancel());
    drop(futures);
    let (root, tokens) = crowd_peer();
    let (futures, woken_peer) = waits(tokens.iter().map(CancellationToken::cancelled));
    let peer = timed(|| root.cancel());
    drop(futures);
    let told = all_woken(&woken) && all_woken(&woken_peer);
    if told { Ok((per_child(ours), per_child(peer))) } else { Err("one was not woken".to_owned()) }
}

/// The microseconds of the longest single child made or dropped among a million that live, a tenth of which wait.
fn longest() -> f64 {
    let (_canceller, mut children) = crowd();
    let parent = Ctx::clone(&children[0]);
    let (_futures, _woken) = waits(children.iter().step_by(10).map(Ctx::done));
    children.reserve(200_000);
    let mut most = Duration::ZERO;
    for n in 0..200_000 {
        most = most.max(timed(|| children.push(parent.with_cancel().0)));
        let one = children.swap_remove(n * 7 % MILLION);
        most = most.max(timed(|| drop(one)));
    }
    most.as_nanos() as f64 / 1_000.0
}

/// How much more two threads do than one, in the CPU time that one piece of work takes: 2 where they do not meet.
fn two_over_one(work: impl Fn() + Sync) -> f64 {
    const ROUNDS: usize = 400_000;
    let run = |start: &Barrier| {
        start.wait();
        timed(|| (0..ROUNDS).for_each(|_| work()))
    };
    let alone = run(&Barrier::new(1));
    let start = Barrier::new(2);
    let both: Duration = thread::scope(|scope| {
        let threads = [scope.spawn(|| run(&start)), scope.spawn(|| run(&start))];
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    });
    4.0 * alone.as_secs_f64() / both.as_secs_f64()
}

fn measure(report: &mut Report) -> Result<(), String> {
    let (ours, peer) = idle()?;
    let name = "cancel a million children, nobody waiting, ns each";
    report.measured(name, ours, Some(peer), Goal::Ratio(0.05));
    let (ours, peer) = waiting()?;
    let name = "cancel a million children, a waiter each, ns each";
    report.measured(name, ours, Some(peer), Goal::Ratio(1.0));
    let name = "longest single child made or dropped, a million live, us";
    report.measured(name, longest(), None, Goal::AtMost(200.0));
    let (root, _canceller) = Ctx::background().with_cancel();
    let ours = two_over_one(|| drop(black_box(root.with_cancel())));
    // The floor of anything that counts its parent: a clone of a shared `Arc` beside an allocation of the same size.
    let shared = Arc::new(0_u64);
    let floor = two_over_one(|| drop(black_box(Box::new(([0_u64; 15], Arc::clone(&shared))))));
    let name = "children of one root by 2 threads over 1, peer: a shared Arc in a box";
    report.measured(name, ours, Some(floor), Goal::AtLeast(1.8));
    Ok(())
}
