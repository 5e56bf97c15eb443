//! Contexts under concurrency: rules 3.1.2 to 3.1.7 with threads that meet at a barrier, over many rounds.

use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ctxprop::{Cause, Ctx};

use crate::race_causes::random_tree;
use crate::support::{Rng, Wakes, custom, poll_once, poll_with, root, secs};

/// Runs both at once.
pub(crate) fn together<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    two: impl FnOnce() -> B + Send,
) -> (A, B) {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            barrier.wait();
            two()
        });
        barrier.wait();
        let one = one();
        (one, other.join().unwrap())
    })
}

#[test]
fn rule_3_1_4_cancel_racing_the_creation_of_children_leaves_none_undone() {
    for _ in 0..1_000 {
        let (parent, canceller) = root().with_cancel();
        let cause = custom("raced");
        let (born, ()) = together(
            || {
                let mut born = Vec::new();
                for n in 0..40 {
                    let child = match n % 4 {
                        0 => parent.with_cancel().0,
                        1 => parent.with_value(1_u8).with_timeout(secs(60)),
                        2 => parent.child_span(),
                        _ => parent.with_cancel().0.with_value(1_u8).with_cancel().0,
                    };
                    born.push(child.with_cancel().0);
                    born.push(child);
                }
                born
            },
            || canceller.cancel_with(cause.clone()),
        );
        for ctx in born {
            assert!(ctx.is_done(), "a child was left undone");
            assert_eq!(ctx.cause(), Some(cause.clone()));
        }
    }
}

#[test]
fn rule_3_1_2_a_waiter_on_the_parent_that_cancels_the_child_meanwhile_does_not_deadlock() {
    for _ in 0..200 {
        let (parent, end_parent) = root().with_cancel();
        let children: Vec<_> = (0..20).map(|_| parent.with_cancel()).collect();
        together(
            || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    parent.done().await;
                    children.iter().for_each(|(_, canceller)| canceller.cancel());
                });
            },
            || {
                children[0].1.cancel();
                end_parent.cancel_with(Cause::Shutdown);
            },
        );
        assert_eq!(children[0].0.cause(), Some(Cause::Cancelled));
        // The waiter may reach a child before the end of the parent does.
        let legal = [Some(Cause::Cancelled), Some(Cause::Shutdown)];
        assert!(children.iter().all(|(ctx, _)| legal.contains(&ctx.cause())));
    }
}

#[test]
fn rule_3_1_2_when_two_cancel_one_tree_each_returns_to_a_tree_that_is_done() {
    let mut rng = Rng::new(3);
    for _ in 0..100 {
        let tree = random_tree(&mut rng, 1_000);
        let cancel = |n: usize| {
            tree[n].canceller.cancel();
            let below = |mut at: usize| {
                while at > n {
                    at = tree[at].parent.unwrap();
                }
                at == n
            };
            (0..tree.len()).filter(|at| below(*at)).filter(|at| !tree[*at].ctx.is_done()).count()
        };
        assert_eq!(together(|| cancel(0), || cancel(0)), (0, 0), "both the same node");
        let tree = random_tree(&mut rng, 1_000);
        let undone = together(
            || {
                tree[0].canceller.cancel();
                tree.iter().filter(|node| !node.ctx.is_done()).count()
            },
            || {
                tree[1].canceller.cancel();
                usize::from(!tree[1].ctx.is_done())
            },
        );
        assert_eq!(undone, (0, 0), "a node and one below it");
    }
}

#[test]
fn rule_3_1_6_what_is_seen_of_an_end_is_never_torn() {
    for _ in 0..300 {
        let (parent, canceller) = root().with_cancel();
        let ctx = parent.with_value(1_u8).with_cancel().0.child_span();
        let cause = custom("whole");
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    loop {
                        let before = ctx.cause();
                        if before.is_some() {
                            assert_eq!(before, Some(cause.clone()));
                            assert!(ctx.is_done(), "a cause, but not done");
                            assert_eq!(ctx.check().unwrap_err().cause(), &cause);
                            assert!(poll_once(pin!(ctx.done())).is_ready(), "done, but not ready");
                            break;
                        }
                        if ctx.is_done() {
                            assert_eq!(ctx.cause(), Some(cause.clone()), "done, but no cause");
                        }
                        thread::yield_now();
                    }
                });
            }
            barrier.wait();
            canceller.cancel_with(cause.clone());
        });
    }
}

#[test]
fn rule_3_1_6_a_wait_that_begins_during_the_end_is_ready_or_woken() {
    for _ in 0..3_000 {
        let (ctx, canceller) = root().with_cancel();
        let child = ctx.with_cancel().0;
        let (wakes, waker) = Wakes::new();
        let mut done = Box::pin(child.done());
        let (polled, ()) =
            together(|| poll_with(done.as_mut(), &waker).is_ready(), || canceller.cancel());
        assert!(polled || wakes.count() == 1, "the end was missed");
    }
}

#[test]
fn rule_3_1_9_children_dropped_while_their_parent_ends_harm_nothing() {
    for seed in 0..200 {
        let (parent, canceller) = root().with_cancel();
        let mut rng = Rng::new(seed);
        let mut children: Vec<Ctx> = (0..300).map(|_| parent.with_cancel().0).collect();
        rng.shuffle(&mut children);
        let kept = children.split_off(290);
        let (born, ()) = together(
            || {
                children.into_iter().for_each(drop);
                parent.with_cancel().0
            },
            || canceller.cancel(),
        );
        assert!(kept.iter().chain([&born]).all(Ctx::is_done));
    }
}

#[test]
fn rule_3_1_9_threads_that_make_and_drop_children_of_one_parent_lose_none() {
    let (parent, canceller) = root().with_cancel();
    let made = AtomicUsize::new(0);
    let churn = |seed: u64| {
        let mut rng = Rng::new(seed);
        let mut alive: Vec<Ctx> = Vec::new();
        while made.fetch_add(1, Ordering::Relaxed) < 200_000 {
            alive.push(parent.with_cancel().0);
            if alive.len() > 200 {
                rng.shuffle(&mut alive);
                alive.truncate(10);
            }
        }
        alive
    };
    let (one, two) = together(|| churn(1), || churn(2));
    assert!(!parent.is_done());
    canceller.cancel();
    assert!(one.iter().chain(&two).all(Ctx::is_done), "a child was lost");
}
