//! Why a context ended, for whoever looks.

use std::time::Duration;

use shuttle::thread;
use tokio::time::Instant;

use super::{Slow, check, finds, join, three};
use crate::end::Keys;
use crate::fault::Fault;
use crate::{Background, Cause, Ctx};

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

#[test]
fn every_order_holds() {
    check(&[
        a_child_has_its_parents_cause,
        what_is_above_ends_what_is_below,
        an_error_is_there_with_its_end,
        a_deadline_that_nobody_saw_came_first,
    ]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::StoresTheErrorLate, an_error_is_there_with_its_end);
    finds(Fault::EndsWithoutSettling, what_is_above_ends_what_is_below);
    finds(Fault::InheritsPastOthers, a_child_has_its_parents_cause);
}
