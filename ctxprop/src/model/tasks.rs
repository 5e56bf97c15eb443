//! Tasks under an end: what `ctx.spawn` gives to tokio, polled by threads of the model in the place of tokio's.

use std::panic::Location;

use shuttle::thread;

use super::code::{Count, Flag, block_on, holds, takes};
use super::{check, finds, join, three};
use crate::fault::Fault;

/// Tasks unwind at the end and complete what they shield; the root waits for them, and none is on its list then (3.3.2,
/// 3.3.5, 3.3.15).
fn a_root_waits_for_its_tasks() {
    let [top, middle, child] = three();
    let root = top.0.clone();
    let (begun, released) = <(Count, Count)>::default();
    let mut threads: Vec<_> = [middle.0.clone(), child.0.clone()]
        .into_iter()
        .map(|ctx| {
            let (begun, released) = (begun.clone(), released.clone());
            let work = async move {
                begun.add();
                holds(&released).await;
            };
            let task = ctx.as_task(work, Location::caller());
            thread::spawn(move || {
                let given = block_on(task);
                assert_eq!(given.is_err(), given.is_err() && ctx.ended());
            })
        })
        .collect();
    threads.push(thread::spawn(move || top.1.cancel()));
    threads.push(thread::spawn(move || middle.1.cancel()));
    assert!(root.live_tasks() <= 2);
    block_on(root.idle());
    assert!(root.list_tasks().is_empty(), "one is over, and on the list");
    assert_eq!((root.live_tasks(), begun.get()), (0, released.get()));
    join(threads);
    drop(child);
}

/// A detached task goes on after the end, and is waited for all the same (3.3.7).
fn a_detached_task_outlives_the_end() {
    let [top, _middle, child] = three();
    let root = top.0.clone();
    let done = Flag::default();
    let does = done.clone();
    let detached = child.0.detach("a model");
    let work = async move {
        takes(2).await;
        does.set();
    };
    let task = detached.as_task(work, Location::caller());
    let threads = vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || assert_eq!(block_on(task), Ok(()))),
    ];
    block_on(root.idle());
    assert!(done.is_set() && root.list_tasks().is_empty());
    join(threads);
}

#[test]
fn every_order_holds() {
    check(&[a_root_waits_for_its_tasks, a_detached_task_outlives_the_end]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::TakesOffHere, a_root_waits_for_its_tasks);
    finds(Fault::TakesOffHere, a_detached_task_outlives_the_end);
    finds(Fault::HoldsOneFrameLess, a_root_waits_for_its_tasks);
}
