//! Who is woken by the end of a context: rule 3.2.2, with wakers that count.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Waker};

use ctxprop::{Cancelled, Ctx};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::{Instant, advance};

use crate::support::{Wakes, no_hang, poll_with, root, secs};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[test]
fn rule_3_2_2_the_end_wakes_a_pending_scope_once_however_deep_its_code_nests() {
    let (ctx, canceller) = root().with_cancel();
    let layers: [fn(&Ctx) -> Boxed<()>; 4] = [
        |ctx| Box::pin(ctx.scope(pending())),
        |ctx| Box::pin(ctx.scope(ctx.scope(ctx.scope(pending())))),
        |ctx| {
            let (outer, inner) = (ctx.clone(), ctx.with_value(1_u8));
            Box::pin(outer.scope(async move { inner.run(pending::<()>()).await.unwrap_or(()) }))
        },
        |ctx| {
            let (one, two) = (ctx.scope(pending::<()>()), ctx.scope(pending::<()>()));
            Box::pin(ctx.scope(async { tokio::join!(one, two).0 }))
        },
    ];
    let mut waiting: Vec<_> = layers
        .iter()
        .map(|layer| {
            let ((wakes, waker), mut scope) = (Wakes::new(), layer(&ctx));
            assert!(poll_with(scope.as_mut(), &waker).is_pending());
            assert!(poll_with(scope.as_mut(), &waker).is_pending(), "again");
            (wakes, scope)
        })
        .collect();
    canceller.cancel();
    canceller.cancel();
    for (n, (wakes, _)) in waiting.iter_mut().enumerate() {
        assert_eq!(wakes.count(), 1, "layers {n}");
    }
}

#[test]
fn rule_3_2_2_a_scope_of_a_child_is_woken_by_its_own_end_and_by_its_parents() {
    for end_child in [true, false] {
        let (parent, end_parent) = root().with_cancel();
        let (child, canceller) = parent.with_cancel();
        let (wakes, waker) = Wakes::new();
        let mut scope = pin!(parent.scope(child.scope(pending::<()>())));
        assert!(poll_with(scope.as_mut(), &waker).is_pending());
        if end_child {
            canceller.cancel();
        } else {
            end_parent.cancel();
        }
        assert!(wakes.count() >= 1);
    }
}

#[test]
fn rule_3_2_2_a_scope_that_is_done_or_dropped_is_not_woken() {
    let (ctx, canceller) = root().with_cancel();
    let (wakes, waker) = Wakes::new();
    let mut polls = 0;
    let mut ready = Box::pin(ctx.scope(poll_fn(|_| {
        polls += 1;
        if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
    })));
    assert!(poll_with(ready.as_mut(), &waker).is_pending());
    assert!(poll_with(ready.as_mut(), &waker).is_ready());
    let mut dropped = Box::pin(ctx.run(pending::<()>()));
    assert!(poll_with(dropped.as_mut(), &waker).is_pending());
    drop(dropped);
    let mut done = Box::pin(ctx.done());
    assert!(poll_with(done.as_mut(), &waker).is_pending());
    drop(done);
    canceller.cancel();
    assert_eq!(wakes.count(), 0);
    assert_eq!(Arc::strong_count(&wakes), 2, "and nobody holds its waker");
}

struct PanicsAtDrop;

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        panic!("the drop of a test");
    }
}

#[test]
fn rule_3_2_2_a_scope_whose_future_panics_as_it_is_dropped_leaves_no_waker_behind() {
    let (ctx, _canceller) = root().with_cancel();
    let (wakes, waker) = Wakes::new();
    let mut scope = Box::pin(ctx.scope(async {
        let _guard = PanicsAtDrop;
        pending::<()>().await;
    }));
    assert!(poll_with(scope.as_mut(), &waker).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(scope))).is_err());
    assert_eq!(Arc::strong_count(&wakes), 2, "its context holds its waker");
}

/// Polls one scope in several ways, each with a waker, and tells which wakers the end woke. `drop` drops the
/// scopes it was polled inside of before the end.
fn woken(ways: &[(&'static str, usize)], drop: bool) -> Vec<bool> {
    let (ctx, canceller) = root().with_cancel();
    let wakers: Vec<_> = (0..3).map(|_| Wakes::new()).collect();
    let mut scope = Box::pin(ctx.scope(pending::<()>()));
    let mut around: Vec<Boxed<()>> = Vec::new();
    for (way, waker) in ways {
        let waker = &wakers[*waker].1;
        match *way {
            "bare" => assert!(poll_with(scope.as_mut(), waker).is_pending()),
            "nested" => {
                let mut inner = Some(scope);
                let (give, mut back) = tokio::sync::oneshot::channel();
                let mut give = Some(give);
                let mut outer: Boxed<()> = Box::pin(ctx.scope(poll_fn(move |cx| {
                    if let Some(mut inner) = inner.take() {
                        assert!(inner.as_mut().poll(cx).is_pending());
                        assert!(give.take().unwrap().send(inner).is_ok());
                    }
                    Poll::Pending
                })));
                assert!(poll_with(outer.as_mut(), waker).is_pending());
                scope = back.try_recv().unwrap();
                around.push(outer);
            }
            other => unreachable!("{other}"),
        }
    }
    if drop {
        around.clear();
    }
    canceller.cancel();
    wakers.iter().map(|(wakes, _)| wakes.count() > 0).collect()
}

fn woken_after(ways: &[(&'static str, usize)]) -> Vec<bool> {
    woken(ways, true)
}

#[test]
fn a_scope_inside_another_is_woken_with_it() {
    assert!(woken(&[("nested", 0)], false)[0]);
    assert!(woken(&[("bare", 0), ("nested", 1)], false)[1]);
    assert!(woken(&[("nested", 0), ("nested", 1)], false)[1]);
}

#[test]
fn rule_3_2_2_when_the_waker_changes_the_new_one_is_woken_and_the_old_one_is_not() {
    assert_eq!(woken_after(&[("bare", 0)]), [true, false, false]);
    assert_eq!(woken_after(&[("bare", 0), ("bare", 1)]), [false, true, false]);
    assert_eq!(woken_after(&[("bare", 0), ("bare", 1), ("bare", 0)]), [true, false, false]);
    assert_eq!(
        woken_after(&[("bare", 0), ("bare", 1), ("bare", 2), ("bare", 1)]),
        [false, true, false]
    );
}

#[test]
fn a_scope_moved_out_of_one_that_covered_it_is_woken_by_itself() {
    assert!(woken_after(&[("nested", 0), ("bare", 1)])[1]);
    assert!(woken_after(&[("nested", 0), ("bare", 0)])[0]);
    assert!(woken_after(&[("bare", 0), ("nested", 1), ("bare", 2)])[2]);
    assert!(woken_after(&[("nested", 0), ("nested", 1), ("bare", 1)])[1]);
}

// Fails where a scope that found itself covered registered nothing, and the one that covered it has
// gone: its caller was told `Pending`, and may go by that.
#[test]
fn a_scope_whose_covering_scope_is_dropped_after_the_poll_is_still_woken() {
    assert!(woken_after(&[("nested", 0)])[0]);
    assert!(woken_after(&[("bare", 0), ("nested", 1)])[1]);
}

// Fails where the same, where the covering scope is ready in that very poll.
#[test]
fn a_scope_whose_covering_scope_was_ready_in_that_poll_is_still_woken() {
    let (ctx, canceller) = root().with_cancel();
    let (wakes, waker) = Wakes::new();
    let mut inner = Box::pin(ctx.run(pending::<()>()));
    let mut outer = Box::pin(ctx.scope(poll_fn(|cx| {
        assert!(inner.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })));
    assert!(poll_with(outer.as_mut(), &waker).is_ready());
    drop(outer);
    canceller.cancel();
    assert_eq!(wakes.count(), 1, "`inner` is pending, was polled with this waker, and can go on");
    assert!(poll_with(inner.as_mut(), &waker).is_ready());
}

/// A scope of `ctx` that polls `inner` in its first poll, hands it out, and is ready once `go` is dropped.
fn hands_out<F: Future<Output = ()> + Send + 'static>(
    ctx: &Ctx,
    mut inner: Pin<Box<F>>,
    waker: &Waker,
) -> (Boxed<()>, Pin<Box<F>>, oneshot::Sender<()>) {
    let ((go, mut gone), (give, mut back)) = (oneshot::channel::<()>(), oneshot::channel());
    let mut outer: Boxed<()> = Box::pin(ctx.scope(async move {
        poll_fn(|cx| {
            assert!(inner.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(give.send(inner).is_ok());
        let _ = (&mut gone).await;
    }));
    assert!(poll_with(outer.as_mut(), waker).is_pending());
    (outer, back.try_recv().unwrap(), go)
}

// Fails where a scope that covers one which somebody else holds by now moves to another task, and takes its waker with
// it.
#[test]
fn a_scope_whose_covering_scope_is_polled_with_another_waker_is_still_woken() {
    for ready in [false, true] {
        let (ctx, canceller) = root().with_cancel();
        let ((wakes, waker), (_, other)) = (Wakes::new(), Wakes::new());
        let (mut outer, _inner, go) = hands_out(&ctx, Box::pin(ctx.scope(pending())), &waker);
        if ready {
            drop(go);
        }
        assert_eq!(poll_with(outer.as_mut(), &other).is_ready(), ready);
        canceller.cancel();
        assert!(wakes.count() > 0, "ready: {ready}");
    }
}

#[test]
fn a_waker_that_changes_at_every_poll_wakes_nobody_before_the_end() {
    let (ctx, _canceller) = root().with_cancel();
    let mut outer: Boxed<()> = Box::pin(ctx.scope(ctx.scope(ctx.scope(pending()))));
    for _ in 0..5 {
        let (wakes, waker) = Wakes::new();
        assert!(poll_with(outer.as_mut(), &waker).is_pending());
        assert!(poll_with(outer.as_mut(), &Wakes::new().1).is_pending());
        assert_eq!(wakes.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_27_combinators_with_wakers_of_their_own_are_woken_through_them() {
    let (ctx, canceller) = root().with_cancel();
    let run = |ctx: &Ctx| ctx.run(pending::<()>());
    let mut unordered: FuturesUnordered<_> = (0..50).map(|_| run(&ctx)).collect();
    let mut inside = Box::pin(ctx.scope({
        let mut unordered: FuturesUnordered<_> = (0..50).map(|_| run(&ctx)).collect();
        async move { while unordered.next().await.is_some() {} }
    }));
    let mut set = tokio::task::JoinSet::new();
    (0..50).for_each(|_| drop(set.spawn(run(&ctx))));
    let mut all = Box::pin(futures::future::join_all((0..50).map(|_| run(&ctx))));
    assert!(futures::poll!(unordered.next()).is_pending());
    assert!(futures::poll!(inside.as_mut()).is_pending());
    assert!(futures::poll!(all.as_mut()).is_pending());
    tokio::task::yield_now().await;
    canceller.cancel();
    no_hang(async {
        while let Some(end) = unordered.next().await {
            assert!(end.is_err());
        }
        inside.await;
        assert!(all.await.iter().all(Result::is_err));
        assert!(set.join_all().await.iter().all(Result::is_err));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_2_a_future_polled_by_reference_in_select_is_woken_wherever_it_was_polled_last() {
    let (ctx, canceller) = root().with_cancel();
    let mut run = Box::pin(ctx.run(pending::<()>()));
    tokio::select! {
        biased;
        _ = &mut run => unreachable!("nothing ended it"),
        () = std::future::ready(()) => {}
    }
    let (send, moved) = tokio::sync::oneshot::channel::<Boxed<Result<(), Cancelled>>>();
    let task = tokio::spawn(async move { moved.await.unwrap().await });
    tokio::task::yield_now().await;
    assert!(send.send(run).is_ok());
    tokio::task::yield_now().await;
    canceller.cancel();
    assert!(no_hang(task).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_2_a_deadline_wakes_the_waker_of_the_last_poll() {
    let ctx = root().with_timeout(secs(5));
    let polls: [fn(&Ctx) -> Boxed<()>; 3] = [
        |ctx| Box::pin(ctx.scope(pending())),
        |ctx| {
            Box::pin({
                let ctx = ctx.clone();
                async move { drop(ctx.run(pending::<()>()).await) }
            })
        },
        |ctx| {
            Box::pin({
                let ctx = ctx.clone();
                async move { drop(ctx.done().await) }
            })
        },
    ];
    let (old, old_waker) = Wakes::new();
    let mut waiting = Vec::new();
    for poll in polls {
        let ((wakes, waker), mut future) = (Wakes::new(), poll(&ctx));
        assert!(poll_with(future.as_mut(), &old_waker).is_pending());
        assert!(poll_with(future.as_mut(), &waker).is_pending());
        waiting.push((wakes, future));
    }
    advance(secs(4)).await;
    assert!(waiting.iter().all(|(wakes, _)| wakes.count() == 0));
    advance(secs(1)).await;
    assert!(waiting.iter().all(|(wakes, _)| wakes.count() > 0));
    assert_eq!(old.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_2_a_deadline_is_waited_for_although_the_tasks_budget_is_used_up() {
    let start = Instant::now();
    let ctx = root().with_timeout(secs(5));
    let ended = poll_fn(|cx| {
        let mut used = 0;
        while tokio::task::coop::has_budget_remaining() && used < 10_000 {
            let _ = pin!(tokio::task::coop::consume_budget()).poll(cx);
            used += 1;
        }
        assert!(!tokio::task::coop::has_budget_remaining());
        let mut run = Box::pin(ctx.run(pending::<()>()));
        Poll::Ready(poll_with(run.as_mut(), cx.waker()).map(drop)).map(|_| run)
    });
    assert!(no_hang(ended.await).await.unwrap_err().is_deadline());
    assert_eq!(start.elapsed(), secs(5));
}

#[test]
fn rule_3_2_2_without_a_runtime_a_cancel_still_wakes_under_a_deadline() {
    let (ctx, canceller) = root().with_timeout(secs(3_600)).with_cancel();
    let (wakes, waker) = Wakes::new();
    let mut run = pin!(ctx.run(pending::<()>()));
    assert!(poll_with(run.as_mut(), &waker).is_pending());
    assert!(poll_with(run.as_mut(), Waker::noop()).is_pending());
    assert!(poll_with(run.as_mut(), &waker).is_pending());
    canceller.cancel();
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(run.as_mut(), &waker).is_ready());
}

#[test]
fn rule_3_2_2_a_scope_first_polled_outside_of_a_runtime_has_its_deadline_once_it_is_inside() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let ctx = {
        let _inside = runtime.enter();
        root().with_timeout(secs(5))
    };
    let (wakes, waker) = Wakes::new();
    let mut run = Box::pin(ctx.run(pending::<()>()));
    assert!(poll_with(run.as_mut(), &waker).is_pending());
    runtime.block_on(async {
        assert!(poll_with(run.as_mut(), &waker).is_pending());
        advance(secs(5)).await;
        assert!(wakes.count() > 0);
        assert!(poll_with(run.as_mut(), &waker).is_ready());
    });
}
