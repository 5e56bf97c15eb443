//! Leaves of one thread while other threads end what is above: none begins after an end that its thread knows of.

use shuttle::thread;

use super::code::{Flag, begins, block_on, waits};
use super::{check, finds, join, three};
use crate::{Ctx, fault::Fault};

/// The code of a scope begins leaves, never waits, and hears of the end of `top` by `told` or by asking itself.
fn begins_none_once_told(ctx: &Ctx, told: &Flag, asks: impl Fn() -> bool) {
    block_on(ctx.scope(async {
        for _ in 0..2 {
            let knows = told.is_set() || asks();
            let begun = begins().await;
            assert!(!(knows && begun), "it knew of the end, and began");
        }
    }));
}

/// What `cancel` has ended, no leaf begins below, on any thread that knows that it returned (3.1.2, 3.2.6).
fn no_leaf_begins_once_cancel_returned() {
    let [top, middle, child] = three();
    let told = Flag::default();
    let tells = told.clone();
    let asks = child.0.clone();
    let end_middle = middle.1.clone();
    join(vec![
        thread::spawn(move || {
            top.1.cancel();
            tells.set();
        }),
        thread::spawn(move || end_middle.cancel()),
        thread::spawn(move || begins_none_once_told(&asks, &told, || false)),
    ]);
}

/// Nor once the thread was told so by `is_done`, of any context above (`current.rs`, invariant 5).
fn no_leaf_begins_once_is_done() {
    let [top, middle, child] = three();
    let end_top = top.1.clone();
    let low = child.0.clone();
    let seen = top.0.clone();
    join(vec![
        thread::spawn(move || end_top.cancel()),
        thread::spawn(move || begins_none_once_told(&low, &Flag::default(), || seen.is_done())),
        thread::spawn(move || {
            let knows = || middle.0.cause().is_some();
            begins_none_once_told(&child.0, &Flag::default(), knows);
        }),
    ]);
}

/// Nor once a thread that was told so has told this one.
fn no_leaf_begins_once_another_thread_was_told() {
    let [top, _middle, child] = three();
    let told = Flag::default();
    let tells = told.clone();
    let asks = top.0.clone();
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            if asks.is_done() {
                tells.set();
            }
        }),
        thread::spawn(move || begins_none_once_told(&child.0, &told, || false)),
    ]);
}

/// A child that is made just then, by the code itself, is no way around the end (3.1.4).
fn a_child_made_in_that_moment_is_no_way_around() {
    let [top, _middle, child] = three();
    let told = Flag::default();
    let tells = told.clone();
    join(vec![
        thread::spawn(move || {
            top.1.cancel();
            tells.set();
        }),
        thread::spawn(move || {
            block_on(child.0.scope(async {
                let late = Ctx::current().with_cancel().0;
                late.scope(async {
                    let knows = told.is_set();
                    assert!(!(begins().await && knows), "it knew of the end, and began");
                })
                .await;
            }));
        }),
    ]);
}

/// What waits is given up once it was polled knowing of the end, and by nothing else; the leaf after it does not begin.
fn what_waits_unwinds() {
    let [top, middle, child] = three();
    let (low, value) = (child.0.clone(), child.0.with_value(1_u8));
    let unwinds = |ctx: Ctx| {
        move || {
            let given = block_on(ctx.run(async {
                waits().await;
                assert!(!begins().await);
                7
            }));
            // Where it began it gives its value.
            assert!(given == Ok(7) || ctx.cause().is_some());
        }
    };
    join(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || middle.1.cancel()),
        thread::spawn(unwinds(low)),
        thread::spawn(unwinds(value)),
    ]);
}

#[test]
fn every_order_holds() {
    check(&[
        no_leaf_begins_once_cancel_returned,
        no_leaf_begins_once_is_done,
        no_leaf_begins_once_another_thread_was_told,
        a_child_made_in_that_moment_is_no_way_around,
        what_waits_unwinds,
    ]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::CountsFirst, no_leaf_begins_once_cancel_returned);
    finds(Fault::LooksFirst, no_leaf_begins_once_cancel_returned);
    finds(Fault::LeavesTheCountToOthers, no_leaf_begins_once_is_done);
    finds(Fault::LeavesTheCountToOthers, no_leaf_begins_once_another_thread_was_told);
    finds(Fault::RegistersAndLooksNoMore, what_waits_unwinds);
}
