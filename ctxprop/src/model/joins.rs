//! Joins, whose branches end together or each by itself, from other threads: what began unwinds before the join is over.

use std::cell::RefCell;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use shuttle::thread;

use super::code::{Count, LONG, Never, begins, block_on, holds, takes, waits};
use super::{check, finds, join as join_threads, three};
use crate::body::Returns;
use crate::fault::Fault;
use crate::run::join::{cons, join, nil, try_join};
use crate::run::leaf::Leaf;
use crate::{Cancelled, Ctx};

/// How a function takes the end that can say it.
macro_rules! unwinds {
    () => {
        Returns::<Result<(), Cancelled>>::new().how()
    };
}

/// Notes that it began, and that it is over by itself.
async fn counted<F: Future>(begun: &Count, over: &Count, future: F) -> F::Output {
    begun.add();
    let output = future.await;
    over.add();
    output
}

/// Each branch of a `join!` unwinds, with its cleanup, and what is no function is given up after a poll that knew (3.2.20).
fn siblings_unwind() {
    let [top, middle, child] = three();
    let ctx = child.0.clone();
    join_threads(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || middle.1.cancel()),
        thread::spawn(move || {
            let (begun, over, released) = <(Count, Count, Count)>::default();
            let given = block_on(ctx.run(async {
                let how = unwinds!();
                let first = counted(&begun, &over, holds(&released));
                let second = counted(&begun, &over, waits());
                let branches = cons((Never::default(), false), nil());
                let branches = cons((first, false), cons((second, false), branches));
                let (first, (second, (never, ()))) = join(&how, false, branches).await;
                assert!(never.is_err() && first.is_ok() == second.is_ok());
                first.is_ok()
            }));
            let released = released.get();
            assert_eq!(released, begun.get() / 2, "{given:?}");
            assert_eq!((begun.get(), given == Ok(true)), (over.get(), released == 1));
        }),
    ]);
}

/// An error that comes after the end waits for the others of a `try_join!`; what has begun before it unwinds (3.2.22).
fn an_error_after_the_end_waits() {
    let [top, _middle, child] = three();
    let ctx = child.0.clone();
    join_threads(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let (begun, over, released) = <(Count, Count, Count)>::default();
            let given = block_on(ctx.run(async {
                let how = unwinds!();
                let fails = async {
                    waits().await;
                    Err::<(), _>("ended")
                };
                let first = counted(&begun, &over, async {
                    holds(&released).await;
                    Ok::<(), &str>(())
                });
                let second = counted(&begun, &over, fails);
                let branches = cons((second, false), cons((first, false), nil()));
                let joined = try_join(&how, false, branches).await;
                assert!(joined.is_err() || joined.is_ok_and(|joined| joined == Err("ended")));
            }));
            assert_eq!(begun.get(), over.get(), "one was cut short: {given:?}");
            assert_eq!(released.get(), begun.get() / 2);
        }),
    ]);
}

/// Branches on contexts of their own, each ended by another thread, beside the end of all.
fn branches_end_one_by_one() {
    let [top, _middle, child] = three();
    let ctx = child.0.clone();
    let (one, end_one) = ctx.with_cancel();
    let (other, end_other) = ctx.with_value(1_u8).with_cancel();
    join_threads(vec![
        thread::spawn(move || end_one.cancel()),
        thread::spawn(move || end_other.cancel()),
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let (begun, over, released) = <(Count, Count, Count)>::default();
            let given = block_on(ctx.run(async {
                let how = unwinds!();
                let first = one.run(counted(&begun, &over, waits()));
                let second = other.run(counted(&begun, &over, holds(&released)));
                let branches = cons((first, false), cons((second, false), nil()));
                let (first, (second, ())) = join(&how, false, branches).await;
                // One of a context of its own may be refused by that.
                let began = |branch: Result<Result<(), _>, _>| branch.is_ok_and(|run| run.is_ok());
                [began(first), began(second)].into_iter().filter(|began| *began).count()
            }));
            assert_eq!(begun.get(), over.get(), "one was cut short: {given:?}");
            assert!(given.is_err() && begun.get() == 0 || given == Ok(begun.get()));
            assert!(released.get() <= 1);
        }),
    ]);
}

/// A shield that a branch leaves behind, at work, is of what is around the join: another branch may see it through (3.2.43).
fn what_a_branch_leaves_behind_is_seen_through() {
    type Shielded<'a> = Pin<Box<dyn Future<Output = Result<(), Cancelled>> + 'a>>;
    let [top, _middle, child] = three();
    let ctx = child.0.clone();
    join_threads(vec![
        thread::spawn(move || top.1.cancel()),
        thread::spawn(move || {
            let done = Count::default();
            let left: RefCell<Option<Shielded<'_>>> = RefCell::new(None);
            let given = block_on(ctx.run(async {
                let how = unwinds!();
                let leaves = async {
                    let done = done.clone();
                    let work = async move {
                        takes(3).await;
                        done.add();
                    };
                    let mut shield = Box::pin(Ctx::current().shield(LONG, work).into_future());
                    let polled = poll_fn(|cx| Poll::Ready(shield.as_mut().poll(cx)));
                    assert!(polled.await.is_pending());
                    *left.borrow_mut() = Some(shield);
                };
                let drains = async {
                    let shield = left.borrow_mut().take();
                    if let Some(shield) = shield {
                        assert!(Leaf::new(shield, false).await.is_ok(), "it was not seen through");
                    }
                };
                let branches = cons((leaves, false), cons((drains, false), nil()));
                let joined = join(&how, true, branches).await;
                waits().await;
                assert!(!begins().await);
                joined.0.is_ok()
            }));
            assert_eq!(given == Ok(true), done.get() == 1);
        }),
    ]);
}

#[test]
fn every_order_holds() {
    check(&[
        siblings_unwind,
        an_error_after_the_end_waits,
        branches_end_one_by_one,
        what_a_branch_leaves_behind_is_seen_through,
    ]);
}

#[test]
fn each_planted_fault_is_found() {
    finds(Fault::UnwindsOnePollEarly, siblings_unwind);
    finds(Fault::HoldsOneFrameLess, siblings_unwind);
    finds(Fault::CutsTheOthersShort, an_error_after_the_end_waits);
    finds(Fault::RegistersAndLooksNoMore, branches_end_one_by_one);
    finds(Fault::GivesUpWhatIsUnsettled, branches_end_one_by_one);
    finds(Fault::LeavesNothingBehind, what_a_branch_leaves_behind_is_seen_through);
}
