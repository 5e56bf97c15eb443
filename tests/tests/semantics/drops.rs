//! Chains of any depth are dropped with bounded stack: each test runs in a thread of 2 MiB.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ctxprop::{Cause, Ctx};

use crate::support::{root, secs};

const DEPTH: usize = 1_000_000;

fn in_small_thread(f: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(f).unwrap().join().unwrap();
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_million_values_drop() {
    in_small_thread(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let add = |ctx: Ctx, _| ctx.with_value(Counted(Arc::clone(&drops)));
        drop((0..DEPTH).fold(root(), add));
        assert_eq!(drops.load(Ordering::Relaxed), DEPTH, "each value once");
    });
}

#[test]
fn a_million_cancellable_contexts_drop() {
    in_small_thread(|| drop((0..DEPTH).fold(root(), |ctx, _| ctx.with_cancel().0)));
}

#[test]
fn a_million_contexts_that_share_one_cancellation_drop() {
    in_small_thread(|| drop((0..DEPTH).fold(root().with_cancel().0, |ctx, _| ctx.child_span())));
}

#[test]
fn a_million_contexts_of_all_kinds_drop() {
    in_small_thread(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let value = || Counted(Arc::clone(&drops));
        let ctx = (0..DEPTH / 5).fold(root(), |ctx, _| {
            let ctx = ctx.with_value(value()).with_cancel().0.with_value(value());
            ctx.detach("a test").with_timeout(secs(9))
        });
        drop(ctx);
        assert_eq!(drops.load(Ordering::Relaxed), DEPTH / 5 * 2);
    });
}

#[test]
fn a_deep_chain_drops_when_a_canceller_at_its_end_is_the_last_handle() {
    in_small_thread(|| {
        let (ctx, canceller) = (0..DEPTH / 4)
            .fold(root(), |ctx, _| ctx.with_cancel().0.with_value(1_u8))
            .with_cancel();
        drop(ctx);
        drop(canceller);
    });
}

#[test]
fn a_deep_chain_ends_and_drops_while_it_ends() {
    in_small_thread(|| {
        let (first, canceller) = root().with_cancel();
        let last = (0..DEPTH / 4).fold(first, |ctx, _| ctx.with_cancel().0);
        canceller.cancel_with(Cause::Shutdown);
        assert_eq!(last.cause(), Some(Cause::Shutdown));
    });
}

#[test]
fn two_deep_chains_that_hold_each_other_through_values_drop() {
    in_small_thread(|| {
        let deep = (0..1_000).fold(root(), |ctx, _| ctx.with_value(1_u8));
        let ctx = (0..1_000).fold(root(), |ctx, n| {
            let ctx = ctx.with_cancel().0;
            if n % 100 == 0 { ctx.with_value(deep.with_value(n)) } else { ctx }
        });
        drop(deep);
        drop(ctx);
    });
}

// Fails where the queue of the outermost drop survives a panic in a value's `Drop`, so every deep
// chain dropped later on that thread is queued behind it and leaks.
#[test]
fn a_value_that_panics_in_drop_does_not_make_later_chains_leak() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("in drop");
            }
        }
    }
    in_small_thread(|| {
        let deep = |top: Ctx| (0..1_000).fold(top, |ctx, _| ctx.with_value(1_u8));
        let chain = deep(root().with_value(Panics));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(deep(chain)))).is_err());
        let drops = Arc::new(AtomicUsize::new(0));
        let chain = deep(deep(root().with_value(Counted(Arc::clone(&drops)))));
        drop(chain);
        assert_eq!(drops.load(Ordering::Relaxed), 1, "the second chain leaked");
    });
}

#[test]
fn a_deep_chain_drops_as_its_thread_ends() {
    std::thread_local! {
        static HELD: std::cell::RefCell<Option<Ctx>> = const { std::cell::RefCell::new(None) };
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = Counted(Arc::clone(&drops));
    in_small_thread(move || {
        let ctx = (0..1_000).fold(root().with_value(counted), |ctx, _| ctx.with_cancel().0);
        HELD.set(Some(ctx));
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}
