//! Sets of waiters, one at a time; threads that meet in one are the model's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize as Counter};
use std::task::Wake;
use std::thread;

use super::super::Keys;
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
