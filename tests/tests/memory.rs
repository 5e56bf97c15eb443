//! What contexts cost in memory: rules 3.1.9 and 3.1.11, and what waiting leaves behind.
//!
//! In a process of its own, since it replaces the allocator. It counts by thread: each test runs on one.

#![allow(unsafe_code, reason = "a global allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ctxprop::{Background, Ctx, SpanContext};

#[path = "semantics/memory_waits.rs"]
mod waits;

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
    // One that is known again: each crate may have a table of its own for `Waker::noop`.
    static WAKER: LazyLock<Waker> = LazyLock::new(|| Waker::from(Arc::new(NoWake)));
    future.poll(&mut Context::from_waker(&WAKER))
}

struct NoWake;

impl Wake for NoWake {
    fn wake(self: Arc<Self>) {}
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

/// Which parents are tried with the full number.
fn main_kind(parent: &str) -> bool {
    matches!(parent, "root" | "cancellable")
}

type Derive = fn(&Ctx) -> Ctx;

/// Children of every kind.
const CHILDREN: [(&str, Derive); 8] = [
    ("cancel", |ctx| ctx.with_cancel().0),
    ("timeout", |ctx| ctx.with_timeout(secs(99))),
    ("endless timeout", |ctx| ctx.with_timeout(Duration::MAX)),
    ("share", |ctx| ctx.with_budget_share(0.5)),
    ("small value", |ctx| ctx.with_value(7_u8)),
    ("large value", |ctx| ctx.with_value([7_u8; 512])),
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
            // Eight kinds make a million.
            let n = if main_kind(parent_kind) { 125_000 } else { 5_000 };
            let ((), left) = bytes_left(|| (0..n).for_each(|_| drop(child(&parent))));
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
            let n = if main_kind(parent_kind) { 100_000 } else { 1_000 };
            for keep in [0, n / 2, n - 1] {
                let (kept, left) = bytes_left(|| {
                    let mut children: Vec<_> = (0..n).map(|_| child(&parent)).collect();
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
    let chains: [Derive; 4] = [
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
