//! Callbacks, and the last handles of contexts, while what is above ends.

use std::sync::{Arc, mpsc};

use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread;

use super::{check, finds, join, three};
use crate::fault::Fault;
use crate::{Background, Ctx};

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
fn every_order_holds() {
    check(&[a_callback_runs_or_was_stopped, the_last_handle_goes_during_the_end]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::AddsAndLooksNoMore, a_callback_runs_or_was_stopped);
}
