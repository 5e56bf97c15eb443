//! Who keeps a node, and that it is freed once, whatever its part does. Run under miri by the gate, where it is installed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::{Background, Ctx};

/// Notes that it was dropped.
struct Noted(u8, Arc<Mutex<Vec<u8>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// Panics as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb");
    }
}

#[test]
fn the_last_handle_frees_a_chain_from_below() {
    let dropped = Arc::default();
    let noted = |ctx: &Ctx, n| ctx.with_value(Noted(n, Arc::clone(&dropped)));
    let high = noted(&noted(&Ctx::background(), 1), 2);
    let (left, right) = (noted(&high, 3), noted(&high, 4));
    drop(high);
    drop(left);
    assert_eq!(*dropped.lock().unwrap(), [3]);
    drop(right.clone());
    drop(right);
    assert_eq!(*dropped.lock().unwrap(), [3, 4, 2, 1]);
}

#[test]
fn what_is_above_a_part_whose_drop_panics_is_freed_all_the_same() {
    let dropped: Arc<Mutex<Vec<u8>>> = Arc::default();
    let top = Ctx::background().with_value(Noted(1, Arc::clone(&dropped)));
    let (child, _canceller) = top.with_value(Bomb).with_cancel();
    let low = child.with_value(Noted(2, Arc::clone(&dropped)));
    drop((top, child, _canceller));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(low))).is_err());
    assert_eq!(*dropped.lock().unwrap(), [2, 1]);
    assert_eq!(Arc::strong_count(&dropped), 1);
}

#[test]
fn so_is_a_node_whose_callbacks_panic_as_they_are_dropped() {
    let dropped: Arc<Mutex<Vec<u8>>> = Arc::default();
    let top = Ctx::background().with_value(Noted(1, Arc::clone(&dropped)));
    let (ctx, canceller) = top.with_cancel();
    let (bomb, kept) = (Bomb, top);
    drop(ctx.on_done(move |_| drop(bomb)));
    drop((kept, canceller));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(ctx))).is_err());
    assert_eq!(*dropped.lock().unwrap(), [1]);
}

#[test]
fn many_threads_may_hold_a_node_and_one_frees_it() {
    let dropped: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (ctx, canceller) =
        Ctx::background().with_value(Noted(1, Arc::clone(&dropped))).with_cancel();
    let token = ctx.cancellation_token();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ctx = ctx.clone();
            thread::spawn(move || {
                let child = ctx.clone().with_value(2_u8).child_span();
                assert!(child.value::<u8>() == Some(&2) && child.span().is_valid());
                child.is_done()
            })
        })
        .collect();
    drop(ctx);
    canceller.cancel();
    drop(canceller);
    assert!(token.is_cancelled());
    threads.into_iter().for_each(|thread| {
        thread.join().unwrap();
    });
    assert_eq!(*dropped.lock().unwrap(), [1]);
}

#[test]
fn a_part_is_found_at_its_place_whatever_it_needs() {
    #[repr(align(64))]
    #[derive(Debug, PartialEq)]
    struct Wide(u8);

    let ctx = Ctx::background().with_value(Wide(1)).with_value(()).with_value(2_u8);
    assert_eq!(ctx.value::<Wide>(), Some(&Wide(1)));
    assert_eq!((ctx.value::<()>(), ctx.value::<u8>()), (Some(&()), Some(&2)));
    assert_eq!(ctx.value::<u16>(), None);
}

// Fails where what keeps the callbacks from finding a node is left out as an observer panics.
#[test]
#[cfg(feature = "observe")]
fn a_node_whose_observer_panics_is_found_by_nobody_any_more() {
    use crate::observe::{self, Event, Observer};

    struct Panics;

    impl Observer for Panics {
        fn told(&self, event: &Event<'_>) {
            assert!(!matches!(event, Event::CtxGone { .. }), "an observer, on purpose");
        }
    }

    let (top, end_top) = Ctx::background().with_cancel();
    let ctx = top.with_cancel().0;
    ctx.on_done(|_| {});
    let callbacks = Arc::clone(crate::context::callbacks::Callbacks::of(ctx.node()));
    let here = observe::here(Arc::new(Panics));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(ctx))).is_err());
    drop(here);
    assert!(callbacks.node().is_none());
    assert_eq!(top.live_children(), 0);
    end_top.cancel();
}
