//! What runs in the scenarios: leaves as a `#[propagate]` function makes them, and futures that note what is done to them.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::thread;

use crate::Ctx;
use crate::run::current;
use crate::run::leaf::Leaf;

/// No clock gets so far.
pub(super) const LONG: Duration = Duration::from_secs(3_600);

/// What threads note for others.
#[derive(Clone, Default)]
pub(super) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Sets it: whether it was not set.
    pub(super) fn sets(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    /// Takes it back: whether it was set.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// Drives a future on this thread. After each poll others may run, as what wakes itself does so to wait for them.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let task = Arc::new(Unparks(thread::current(), Flag::default()));
    let waker = Waker::from(Arc::clone(&task));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::yield_now();
        while !task.1.take() {
            thread::park();
        }
    }
}

/// Where nobody wakes, nobody runs: `shuttle` tells of a deadlock.
struct Unparks(thread::Thread, Flag);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.1.set();
        self.0.unpark();
    }
}

/// How many of something there are.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A leaf of what is ready at once: whether it began.
pub(super) async fn begins() -> bool {
    let begun = Cell::new(false);
    let given = Leaf::new(async { begun.set(true) }, false).await.is_ok();
    assert_eq!(given, begun.get());
    given
}

/// A leaf that waits for ever: only the end gets past it.
pub(super) async fn waits() {
    let given = Leaf::new(Never::default(), false).await;
    assert!(given.is_err() && current::ended());
}

/// Never ready. Once it was polled it is only dropped after a poll that knew of the end (3.2.7).
#[derive(Default)]
pub(super) struct Never {
    polled: bool,
    knew: bool,
}

impl Future for Never {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.polled = true;
        self.knew = current::seen();
        Poll::Pending
    }
}

impl Drop for Never {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(!self.polled || self.knew, "dropped without its unwinding");
        }
    }
}

/// Pending for so many polls, between which other threads go on.
pub(super) async fn takes(polls: u32) {
    for _ in 0..polls {
        let mut polled = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Something that is reserved, and released under a shield once the wait for more is over, as the README has it.
pub(super) async fn holds(released: &Count) {
    waits().await;
    let released = released.clone();
    let work = async move {
        takes(2).await;
        released.add();
    };
    assert_eq!(Ctx::current().shield(LONG, work).await, Ok(()));
}
