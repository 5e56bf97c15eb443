//! What scopes, leaves, waits and callbacks cost, and what they leave behind: part of `tests/memory.rs`.

use std::future::{pending, ready};
use std::pin::pin;
use std::task::Poll;

use ctxprop::{Background, Cancelled, Ctx, propagate};

use crate::{BYTES, allocations, bytes_left, poll, secs};

#[propagate]
async fn add(a: u32, b: u32) -> Result<u32, Cancelled> {
    Ok(ready(a).await + ready(b).await)
}

#[propagate]
async fn chain(n: u32) -> Result<u32, Cancelled> {
    let (one, two) = tokio::join!(add(n, 1), add(n, 2));
    let three = tokio::select! {
        sum = add(n, 3) => sum?,
        () = pending() => 0,
    };
    Ok(one? + two? + three + add(n, 4).await?)
}

#[test]
fn the_cost_rule_a_chain_that_is_ready_allocates_nothing() {
    let (ctx, _canceller) = Ctx::background().with_timeout(secs(60)).with_cancel();
    for _ in 0..2 {
        let ((), made) = allocations(|| {
            let scope = pin!(ctx.scope(async { chain(1).with(&Ctx::current()).await }));
            assert!(matches!(poll(scope), Poll::Ready(Ok(14))));
            let run = pin!(ctx.run(chain(2)));
            assert!(matches!(poll(run), Poll::Ready(Ok(Ok(18)))));
        });
        assert_eq!(made, 0);
    }
}

#[test]
fn the_cost_rule_leaves_that_wait_allocate_nothing_more_than_their_scope() {
    #[propagate]
    async fn waits() -> Result<(), Cancelled> {
        pending().await
    }
    #[propagate]
    async fn deep() -> Result<(), Cancelled> {
        tokio::join!(waits(), waits(), async { waits().await }).0
    }
    let (ctx, _canceller) = Ctx::background().with_cancel();
    let mut scope = pin!(ctx.scope(deep()));
    let (_, made) = allocations(|| assert!(poll(scope.as_mut()).is_pending()));
    assert_eq!(
        made, 2,
        "how the scope waits, and the context's set of those who wait, however many leaves wait in it"
    );
    let mut other = pin!(ctx.done());
    let (_, made) = allocations(|| assert!(poll(other.as_mut()).is_pending()));
    assert!(made <= 4, "{made}: room for some more");
    let (_, made) =
        allocations(|| (0..100).for_each(|_| assert!(poll(scope.as_mut()).is_pending())));
    assert_eq!(made, 0);
}

/// Makes many waits at once, drops all, and looks at what is left.
fn leaves_nothing<T>(what: &str, make: impl Fn(&Ctx) -> T) {
    let (ctx, _canceller) = Ctx::background().with_cancel();
    drop(make(&ctx));
    let ((), left) = bytes_left(|| {
        for _ in 0..100_000 {
            drop(make(&ctx));
        }
        let all: Vec<T> = (0..100_000).map(|_| make(&ctx)).collect();
        drop(all);
    });
    assert_eq!(left, 0, "{what}");
}

#[test]
fn registering_and_dropping_many_waits_leaves_no_byte() {
    leaves_nothing("scope", |ctx| {
        let mut scope = Box::pin(ctx.scope(pending::<()>()));
        assert!(poll(scope.as_mut()).is_pending());
        scope
    });
    leaves_nothing("run", |ctx| {
        let mut run = Box::pin(ctx.run(pending::<()>()));
        assert!(poll(run.as_mut()).is_pending());
        run
    });
    leaves_nothing("done", |ctx| {
        let mut done = Box::pin(ctx.done());
        assert!(poll(done.as_mut()).is_pending());
        done
    });
    leaves_nothing("shield", |ctx| {
        let mut shield = Box::pin(ctx.scope(ctx.shield(secs(60), pending::<()>())));
        assert!(poll(shield.as_mut()).is_pending());
        shield
    });
}

#[test]
fn tokens_both_ways_leave_no_byte() {
    let (ctx, _canceller) = Ctx::background().with_cancel();
    let token = tokio_util::sync::CancellationToken::new();
    let both = || (ctx.cancellation_token(), ctx.with_token(&token));
    // The context keeps the one of which the others are children, which keeps a list of them.
    drop(both());
    let ((), left) = bytes_left(|| (0..100_000).for_each(|_| drop(both())));
    assert_eq!(left, 0);
}

#[test]
fn registering_and_stopping_many_callbacks_leaves_no_byte() {
    let (ctx, _canceller) = Ctx::background().with_cancel();
    // The context keeps the place for those who wait, once there has been one.
    assert!(ctx.on_done(|_| {}).stop());
    let ((), left) = bytes_left(|| {
        for _ in 0..100_000 {
            assert!(ctx.on_done(|_| {}).stop());
        }
        let all: Vec<_> = (0..100_000).map(|_| ctx.on_done(|_| {})).collect();
        assert!(all.iter().all(ctxprop::Registration::stop));
    });
    assert_eq!(left, 0);
}

// Fails where each callback under a deadline has a task of its own to drive the timer, which `stop`
// leaves running until the deadline.
#[test]
fn registering_and_stopping_many_callbacks_under_a_deadline_leaves_no_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let ctx = Ctx::background().with_timeout(secs(3_600));
        let round = async || {
            for _ in 0..10_000 {
                assert!(ctx.on_done(|_| {}).stop());
            }
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        };
        round().await;
        let before = BYTES.get();
        round().await;
        let left = BYTES.get() - before;
        assert!(left < 4_096, "{left} bytes after 10,000 callbacks that were all stopped");
    });
}

// Fails where the tables of wakers and callbacks, unlike that of children, keep the size
// of the largest crowd for as long as one of it stays.
#[test]
fn a_crowd_of_waits_gives_its_memory_back_while_one_stays() {
    let (ctx, _canceller) = Ctx::background().with_cancel();
    let wait = || {
        let mut done = Box::pin(ctx.done());
        assert!(poll(done.as_mut()).is_pending());
        done
    };
    let (_kept, left) = bytes_left(|| {
        let mut all: Vec<_> = (0..100_000).map(|_| wait()).collect();
        all.swap_remove(0)
    });
    assert!(left < 4_096, "{left} bytes for one waiter");
    let (_kept, left) = bytes_left(|| {
        let mut all: Vec<_> = (0..100_000).map(|_| ctx.on_done(|_| {})).collect();
        let kept = all.swap_remove(0);
        assert!(all.iter().all(ctxprop::Registration::stop));
        kept
    });
    assert!(left < 4_096, "{left} bytes for one callback");
}

#[test]
fn an_end_gives_back_what_the_waits_held() {
    let ((), left) = bytes_left(|| {
        let (ctx, canceller) = Ctx::background().with_cancel();
        let mut waits: Vec<_> = (0..10_000).map(|_| Box::pin(ctx.done())).collect();
        waits.iter_mut().for_each(|done| assert!(poll(done.as_mut()).is_pending()));
        let children: Vec<_> = (0..10_000).map(|_| ctx.with_cancel()).collect();
        canceller.cancel();
        assert!(children.iter().all(|(child, _)| child.is_done()));
        assert!(waits.iter_mut().all(|done| poll(done.as_mut()).is_ready()));
    });
    assert_eq!(left, 0);
}
