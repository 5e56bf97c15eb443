//! What `ends_everywhere` runs, and how often.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use ctxprop::testing::{Finding, Phase, World, ends_everywhere, given};
use ctxprop::{Cancelled, Cause, Ctx, propagate};
use tokio::task::yield_now;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

fn nothing<S, T>(_: &World<S, T>) {}

#[propagate]
async fn two() -> Result<(), Cancelled> {
    yield_now().await;
    async {}.await;
    Ok(())
}

#[test]
fn every_moment_of_every_await_is_an_end() {
    let ends = RefCell::new(Vec::new());
    let runs = ends_everywhere(|_| two()).causes([Cause::Shutdown]).try_check(|world| {
        let end = world.end().map(|end| (end.place().line(), end.phase()));
        ends.borrow_mut().push(end);
        assert_eq!(world.cause().is_some(), end.is_some());
        assert!(world.cause().is_none_or(|cause| *cause == Cause::Shutdown));
        // What comes after the last await comes too late.
        let too_late = end.is_none() || world.run() == 5;
        assert_eq!(world.output().unwrap().is_ok(), too_late);
    });
    let first =
        include_str!("everywhere.rs").lines().position(|line| line.contains("async fn two"));
    let first = first.unwrap() as u32 + 2;
    let (before, during, after) = (Phase::Before, Phase::During, Phase::After);
    let expected = [
        None,
        Some((first, before)),
        Some((first, during)),
        Some((first, after)),
        Some((first + 1, before)),
        Some((first + 1, after)),
    ];
    assert_eq!(ends.into_inner(), expected);
    assert_eq!(runs, Ok(expected.len()));
}

#[propagate]
async fn everywhere(ctx: Ctx) -> Result<(), Cancelled> {
    let (a, b) = tokio::join!(in_join(), in_join());
    a.and(b)?;
    tokio::select! { done = in_select() => done? }
    ctx.spawn(in_task()).await??;
    ctx.shield(SECOND, in_shield()).await?;
    let mut set = ctx.task_set();
    set.spawn(in_set());
    set.join_next().await;
    Ok(())
}

macro_rules! naps {
    ($($name:ident)*) => {
        $(
            #[propagate]
            async fn $name() -> Result<(), Cancelled> {
                sleep(SECOND).await;
                Ok(())
            }
        )*
    };
}

naps! { in_join in_select in_task in_set }

#[propagate]
async fn in_shield() {
    sleep(SECOND).await;
}

#[test]
fn awaits_in_joins_selects_tasks_and_shields_count() {
    let ended = RefCell::new(BTreeSet::new());
    ends_everywhere(everywhere).check(|world| {
        let end = world.end();
        ended.borrow_mut().extend(end.map(|end| (end.place().line(), end.place().column())));
    });
    // The five of the function and the join, and those inside, of which a macro's have one place.
    assert!(ended.borrow().len() >= 8, "{ended:?}");
}

#[propagate]
async fn waits_for_ever() -> Result<(), Cancelled> {
    pending().await
}

#[test]
fn what_waits_for_ever_is_stuck_without_an_end() {
    let report = ends_everywhere(|_| waits_for_ever()).try_check(nothing).unwrap_err();
    assert!(report.contains("without any end"), "{report}");
    assert!(report.contains("it was still running 3600s later"), "{report}");
}

#[test]
fn what_ignores_the_end_is_stopped_as_a_server_stops_it() {
    ends_everywhere(|_| async { sleep(SECOND).await }).check(|world| {
        // No leaf: nothing to end it at.
        assert!(world.end().is_none() && world.outcome().is_ok());
    });
}

#[test]
fn a_panic_is_told_with_the_end_that_brought_it() {
    #[propagate]
    async fn panics() -> Result<(), Cancelled> {
        let napped = two().await;
        assert!(napped.is_ok(), "the end was not thought of");
        napped
    }
    let report = ends_everywhere(|_| panics()).try_check(nothing).unwrap_err();
    assert!(report.contains("it panicked: the end was not thought of"), "{report}");
    assert!(
        report.contains("the end (disconnected) came at tests/ends/tests/everywhere.rs"),
        "{report}"
    );
}

#[test]
fn a_fallback_is_allowed_where_it_is_meant() {
    #[propagate]
    async fn falls_back() -> Result<(), Cancelled> {
        two().await.or(Ok(()))
    }
    assert!(ends_everywhere(|_| falls_back()).try_check(nothing).is_err());
    ends_everywhere(|_| falls_back()).allow(Finding::Swallowed).check(nothing);
}

#[test]
fn a_timeout_of_its_own_is_no_end() {
    #[propagate]
    async fn falls_back(ctx: Ctx) -> Result<(), Cancelled> {
        let slow = ctx.timeout(SECOND, pending::<()>()).await;
        let Err(late) = slow else { return Ok(()) };
        if late.is_deadline() && ctx.check().is_ok() { Ok(()) } else { Err(late) }
    }
    ends_everywhere(falls_back).causes([Cause::Disconnected]).check(nothing);
}

#[test]
fn the_limit_is_kept() {
    let report = ends_everywhere(everywhere).limit(4).try_check(nothing).unwrap_err();
    assert!(report.contains("4 runs were not enough"), "{report}");
}

#[test]
fn the_same_seed_gives_the_same_runs() {
    #[propagate]
    async fn races(order: Arc<AtomicUsize>) -> Result<(), Cancelled> {
        for _ in 0..8 {
            tokio::select! {
                () = std::future::ready(()) => order.fetch_add(1, Relaxed),
                () = std::future::ready(()) => 0,
            };
        }
        Ok(())
    }
    let orders = |seed| {
        let orders = RefCell::new(Vec::new());
        given(Arc::<AtomicUsize>::default)
            .ends_everywhere(|_, order| races(order))
            .seed(seed)
            .check(|world| orders.borrow_mut().push(world.state().load(Relaxed)));
        orders.into_inner()
    };
    assert_eq!(orders(7), orders(7));
    assert!((0..64).any(|seed| orders(seed) != orders(7)));
}

#[test]
fn how_long_it_took_to_unwind_is_known() {
    #[propagate]
    async fn shields(ctx: Ctx) -> Result<(), Cancelled> {
        let napped = two().await;
        ctx.shield(SECOND * 9, async { sleep(SECOND * 5).await }).await?;
        napped
    }
    let longest = RefCell::new(Duration::ZERO);
    ends_everywhere(shields).check(|world| {
        let took = world.end().map(|end| end.unwound_in()).unwrap_or_default();
        longest.replace_with(|longest| (*longest).max(took));
    });
    assert_eq!(longest.into_inner().as_secs(), 5);
}

#[test]
fn a_budget_is_there_to_be_asked() {
    ends_everywhere(|ctx: Ctx| async move { ctx.remaining() == Some(SECOND) })
        .budget(SECOND)
        .check(|world| assert_eq!(world.output(), Some(&true)));
}
