//! What contexts cost in memory: rules 3.1.9 and 3.1.11, and what waiting leaves behind.
//!
//! In a process of its own, since it replaces the allocator. It counts by thread: each test runs on one.

#![allow(unsafe_code, reason = "a global allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ctxprop::{Background, Cancelled, Ctx, SpanContext, propagate};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(allocations: usize, bytes: isize) {
    let _ = ALLOCATIONS.try_with(|cell| cell.set(cell.get() + allocations));
    let _ = BYTES.try_with(|cell| cell.set(cell.get() + bytes));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as isize - layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// What `f` gives, and how many allocations it made.
fn allocations<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.get();
    let made = f();
    (made, ALLOCATIONS.get() - before)
}

/// How many bytes `f` left allocated.
fn bytes_left<T>(f: impl FnOnce() -> T) -> (T, isize) {
    let before = BYTES.get();
    let made = f();
    (made, BYTES.get() - before)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A parent of every kind, with a name.
fn parents() -> [(&'static str, Ctx); 5] {
    let (cancellable, _) = Ctx::background().with_cancel();
    [
        ("root", Ctx::background()),
        ("cancellable", cancellable.clone()),
        ("value below it", cancellable.with_value(1_u8)),
        ("deadline", Ctx::background().with_timeout(secs(9_999))),
        ("detached", cancellable.detach("a test")),
    ]
}

/// Children of every kind.
const CHILDREN: [(&str, fn(&Ctx) -> Ctx); 8] = [
    ("cancel", |ctx| ctx.with_cancel().0),
    ("timeout", |ctx| ctx.with_timeout(secs(99))),
    ("endless timeout", |ctx| ctx.with_timeout(Duration::MAX)),
    ("share", |ctx| ctx.with_budget_share(0.5)),
    ("small value", |ctx| ctx.with_value(7_u8)),
    ("large value", |ctx| ctx.with_value([7_u8; 4096])),
    ("span", |ctx| ctx.child_span()),
    ("detach", |ctx| ctx.detach("a test")),
];

#[test]
fn the_counter_counts() {
    let (boxed, made) = allocations(|| Box::new([0_u8; 100]));
    assert_eq!(made, 1);
    let ((), left) = bytes_left(|| drop(boxed));
    assert_eq!(left, -100);
}

#[test]
fn rule_3_1_9_a_million_children_one_after_the_other_leave_no_byte() {
    for (parent_kind, parent) in parents() {
        drop(parent.child_span());
        for (kind, child) in CHILDREN {
            let ((), left) = bytes_left(|| (0..125_000).for_each(|_| drop(child(&parent))));
            assert_eq!(left, 0, "{kind} of {parent_kind}");
        }
    }
}

#[test]
fn rule_3_1_9_a_cancelled_child_leaves_its_parent_too() {
    let (parent, _canceller) = Ctx::background().with_cancel();
    let ((), left) = bytes_left(|| {
        for _ in 0..100_000 {
            let (child, canceller) = parent.with_cancel();
            let grandchild = child.with_cancel().0;
            canceller.cancel();
            assert!(grandchild.is_done());
        }
    });
    assert_eq!(left, 0);
}

#[test]
fn rule_3_1_9_a_hundred_thousand_children_at_once_with_one_kept_leave_what_the_one_needs() {
    for (parent_kind, parent) in parents() {
        for (kind, child) in CHILDREN {
            drop(child(&parent));
            let (alone, needs) = bytes_left(|| child(&parent));
            drop(alone);
            for keep in [0, 50_000, 99_999] {
                let (kept, left) = bytes_left(|| {
                    let mut children: Vec<_> = (0..100_000).map(|_| child(&parent)).collect();
                    children.swap_remove(keep)
                });
                // The parent keeps a small table, not one for all it has had.
                assert!(
                    left <= needs + 2_048,
                    "{kind} of {parent_kind}: {left}, not {needs} bytes"
                );
                drop(kept);
            }
        }
    }
}

#[test]
fn rule_3_1_9_children_dropped_in_the_order_they_came_or_the_other_way_leave_nothing() {
    let (parent, _canceller) = Ctx::background().with_cancel();
    for reverse in [false, true] {
        let ((), left) = bytes_left(|| {
            let mut children: Vec<_> = (0..50_000).map(|_| parent.with_cancel()).collect();
            if reverse {
                children.reverse();
            }
            children.into_iter().for_each(drop);
        });
        assert_eq!(left, 0);
    }
}

#[test]
fn rule_3_1_11_a_child_of_any_depth_costs_one_allocation() {
    let chains: [fn(&Ctx) -> Ctx; 4] = [
        |ctx| ctx.with_cancel().0,
        |ctx| ctx.with_value(1_u64),
        |ctx| ctx.child_span(),
        |ctx| ctx.with_cancel().0.with_value(1_u8).child_span(),
    ];
    // The first id of a thread seeds its generator.
    drop(SpanContext::root());
    for chain in chains {
        for depth in [0, 1, 10, 100] {
            for (kind, child) in CHILDREN {
                let parent = (0..depth).fold(Ctx::background(), |ctx, _| chain(&ctx));
                let (_child, made) = allocations(|| child(&parent));
                assert_eq!(made, 1, "{kind} at depth {depth}");
                let (_both, made) = allocations(|| parent.with_cancel());
                assert!(made <= 2, "a second child may make the table of children grow");
            }
        }
    }
}

#[test]
fn rule_3_1_11_many_children_of_one_parent_cost_one_allocation_each_and_a_table() {
    let (parent, _canceller) = Ctx::background().with_cancel();
    let mut children = Vec::with_capacity(10_000);
    let ((), made) =
        allocations(|| children.extend((0..10_000).map(|_| parent.with_timeout(secs(60)))));
    assert!(made <= 10_000 + 16, "{made}");
}

#[test]
fn rule_3_1_11_clones_and_looks_allocate_nothing() {
    let (ctx, canceller) = Ctx::background().with_value(1_u8).with_timeout(secs(60)).with_cancel();
    let look = |ended: bool| {
        let clone = ctx.clone();
        assert_eq!(clone.is_done(), ended);
        assert_eq!(clone.cause().is_some(), ended);
        assert_eq!(clone.check().is_err(), ended);
        assert!(clone.value::<u8>().is_some() && clone.remaining().is_some());
        assert!(Ctx::try_current().is_none() && !clone.span().is_valid());
    };
    assert_eq!(allocations(|| look(false)).1, 0);
    canceller.cancel();
    assert_eq!(allocations(|| look(true)).1, 0);
}

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
    assert_eq!(made, 0, "one waker, stored in the context itself");
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
fn registering_and_stopping_many_callbacks_leaves_no_byte() {
    let (ctx, _canceller) = Ctx::background().with_cancel();
    let ((), left) = bytes_left(|| {
        for _ in 0..100_000 {
            assert!(ctx.on_done(|_| {}).stop());
        }
        let all: Vec<_> = (0..100_000).map(|_| ctx.on_done(|_| {})).collect();
        assert!(all.iter().all(ctxprop::Registration::stop));
    });
    assert_eq!(left, 0);
}

// DEFECT (if it fails): each callback under a deadline has a task of its own to drive the timer, which `stop`
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

// DEFECT, of low weight (if it fails): the tables of wakers and callbacks, unlike that of children, keep the size
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
