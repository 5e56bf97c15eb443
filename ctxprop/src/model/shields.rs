//! Shields, while the context ends at each moment: none that began is dropped before it is over or its limit has passed.

use std::cell::Cell;
use std::future::{IntoFuture, poll_fn};
use std::task::Poll;
use std::time::Duration;

use shuttle::sync::mpsc;
use shuttle::thread;

use super::code::{Count, Flag, LONG, Never, begins, block_on, holds, takes, waits};
use super::{check, finds, join, three};
use crate::Cause;
use crate::fault::Fault;
use crate::run::leaf::Leaf;

/// What was reserved is released, wherever the end comes (3.2.9, 3.2.40).
fn what_began_is_released() {
    let [top, middle, child] = three();
    let released = Count::default();
    let counts = released.clone();
    let begun = Flag::default();
    let begins = begun.clone();
    let ctx = child.0.clone();
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || middle.1.cancel()),
        thread::spawn(move || {
            let given = block_on(ctx.run(async {
                begins.set();
                // Inside of another leaf, as one function calls another.
                let inner = Leaf::new(holds(&counts), false).await;
                assert!(inner.is_ok() || counts.get() == 0, "given up with a shield inside");
            }));
            assert_eq!(given.is_ok(), begins.is_set());
        }),
    ]);
    // The leaf around it may have been refused.
    assert!(released.get() <= 1 && (begun.is_set() || released.get() == 0));
}

/// A shield that is at work as the end comes is completed: by a leaf that began before, and in a run.
fn what_works_is_completed() {
    let [top, _middle, child] = three();
    let ctx = child.0.clone();
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let (begun, done) = (Cell::new(false), Cell::new(false));
            let given = block_on(ctx.run(async {
                let work = async {
                    begun.set(true);
                    takes(3).await;
                    done.set(true);
                };
                let shielded = async { ctx.shield(LONG, work).await };
                assert_eq!(Leaf::new(shielded, false).await.is_ok(), done.get());
            }));
            assert_eq!(begun.get(), done.get(), "it was dropped at work: {given:?}");
        }),
    ]);
}

/// Its limit is the end in there: it unwinds, and is dropped (3.2.37).
fn at_its_limit_it_unwinds() {
    let [top, _middle, child] = three();
    let ctx = child.0.clone();
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let given = block_on(ctx.run(async {
                let work = async {
                    loop {
                        // It is polled again and again, since nothing else looks at the clock.
                        takes(1).await;
                        if !begins().await {
                            return 7;
                        }
                    }
                };
                ctx.shield(Duration::from_nanos(1), work).await
            }));
            let over = |given: &Result<u8, crate::Cancelled>| match given {
                Ok(value) => *value == 7,
                Err(why) => why.cause() == &Cause::DeadlineExceeded,
            };
            assert!(given.is_err() || given.as_ref().is_ok_and(over), "{given:?}");
        }),
    ]);
}

/// A shield that was polled here and is polled on another thread since keeps the code here, which goes on once it is over,
/// whoever polled it (3.2.41).
fn one_that_moved_keeps_what_polled_it() {
    let [top, _middle, child] = three();
    let (moves, arrives) = mpsc::channel();
    let ctx = child.0.clone();
    let done = Flag::default();
    let does = done.clone();
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let given = block_on(ctx.run(async {
                let work = async move {
                    takes(2).await;
                    does.set();
                };
                let mut shield = Box::pin(ctx.shield(LONG, work).into_future());
                let polled = poll_fn(|cx| Poll::Ready(shield.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
                moves.send(shield).unwrap();
                let kept = Leaf::new(Never::default(), false).await;
                kept.is_err()
            }));
            assert!(given != Ok(false) && (given.is_err() || done.is_set()), "it did not wait");
        }),
        thread::spawn(move || {
            if let Ok(shield) = arrives.recv() {
                assert_eq!(block_on(shield), Ok(()));
            }
        }),
    ]);
}

/// Code that holds one goes on to drain it, and begins nothing more once it is over (3.2.42).
fn who_holds_one_may_go_on() {
    let [top, _middle, child] = three();
    let ctx = child.0.clone();
    let told = Flag::default();
    let tells = told.clone();
    join(vec![
        thread::spawn(move || {
            top.1.cancel();
            tells.set();
        }),
        thread::spawn(move || {
            let done = Cell::new(false);
            let given = block_on(ctx.run(async {
                let work = async {
                    takes(2).await;
                    done.set(true);
                };
                let mut shield = Box::pin(ctx.shield(LONG, work).into_future());
                let polled = poll_fn(|cx| Poll::Ready(shield.as_mut().poll(cx))).await;
                assert!(polled.is_pending());
                // A leaf, which begins whatever has ended meanwhile.
                assert!(Leaf::new(async { shield.await }, false).await.is_ok());
                assert!(!(told.is_set() && begins().await), "nothing holds any more");
                waits().await;
            }));
            assert_eq!(given.is_ok(), done.get());
        }),
    ]);
}

#[test]
fn every_order_holds() {
    check(&[
        what_began_is_released,
        what_works_is_completed,
        at_its_limit_it_unwinds,
        one_that_moved_keeps_what_polled_it,
        who_holds_one_may_go_on,
    ]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::HoldsOneFrameLess, what_works_is_completed);
    finds(Fault::HoldsOneFrameLess, who_holds_one_may_go_on);
    finds(Fault::ReleasesWithoutWaking, one_that_moved_keeps_what_polled_it);
}
