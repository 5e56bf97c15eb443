//! The bridge to tokio-util's `CancellationToken`, both ways, and what is said of a cause in one word.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use ctxprop::{Cancelled, Cause, Ctx};
use tokio::runtime::Builder;
use tokio::time::{advance, sleep};
use tokio_util::sync::CancellationToken;

use crate::support::{Wakes, custom, no_hang, poll_once, poll_with, root, secs};

#[test]
fn a_context_ends_with_its_token_and_the_token_not_with_it() {
    let token = CancellationToken::new();
    let (one, other) = (root().with_token(&token), root().with_token(&token.child_token()));
    let (parent, canceller) = root().with_cancel();
    let third = parent.with_token(&token);
    canceller.cancel_with(Cause::Shutdown);
    assert!(third.is_done() && !token.is_cancelled() && !one.is_done());
    let (wakes, waker) = Wakes::new();
    let mut done = pin!(one.done());
    assert!(poll_with(done.as_mut(), &waker).is_pending());
    token.cancel();
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_once(done), Poll::Ready(Cause::Cancelled));
    assert_eq!(other.cause(), Some(Cause::Cancelled));
    assert_eq!(third.cause(), Some(Cause::Shutdown), "3.1.3: the first cause stays");
}

#[test]
fn a_context_of_a_cancelled_token_is_born_ended() {
    let token = CancellationToken::new();
    token.cancel();
    assert_eq!(root().with_token(&token).cause(), Some(Cause::Cancelled));
    let (parent, canceller) = root().with_cancel();
    canceller.cancel_with(Cause::Finished);
    assert_eq!(parent.with_token(&token).cause(), Some(Cause::Finished), "3.1.4");
}

#[test]
fn a_context_that_is_gone_leaves_nothing_with_its_token() {
    let token = CancellationToken::new();
    let value = Arc::new(());
    let ctx = root().with_value(Arc::clone(&value)).with_token(&token);
    drop(ctx.with_cancel());
    drop(ctx);
    assert_eq!(Arc::strong_count(&value), 1);
    token.cancel();
}

#[test]
fn a_token_that_races_a_new_context_ends_it() {
    for _ in 0..200 {
        let token = CancellationToken::new();
        let go = AtomicBool::new(false);
        let ctx = thread::scope(|scope| {
            scope.spawn(|| {
                while !go.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                token.cancel();
            });
            go.store(true, Ordering::Release);
            root().with_token(&token)
        });
        assert_eq!(ctx.cause(), Some(Cause::Cancelled));
    }
}

#[test]
fn a_token_is_cancelled_by_the_end_of_its_context_and_of_what_is_above() {
    for end in 0..3 {
        let (server, shutdown) = root().with_cancel();
        let (request, canceller) = server.with_cancel();
        let (child, end_child) = request.with_cancel();
        let tokens: Vec<_> = [&server, &request, &child, &child.with_value(1_u8)]
            .map(Ctx::cancellation_token)
            .into();
        [shutdown, canceller, end_child][end].cancel();
        let cancelled: Vec<_> = tokens.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(cancelled, [end == 0, end <= 1, true, true], "{end}");
        assert!(child.cancellation_token().is_cancelled(), "also one that is asked for later");
    }
}

#[test]
fn what_cancels_a_token_ends_neither_the_context_nor_another_token() {
    let (ctx, canceller) = root().with_cancel();
    let (one, other) = (ctx.cancellation_token(), ctx.cancellation_token());
    one.cancel();
    assert!(!ctx.is_done() && !other.is_cancelled());
    canceller.cancel();
    assert!(other.is_cancelled());
}

#[test]
fn a_token_whose_context_is_gone_is_cancelled_with_what_was_above() {
    let (server, shutdown) = root().with_cancel();
    let token = server.with_cancel().0.with_timeout(secs(60)).child_span().cancellation_token();
    assert!(!token.is_cancelled());
    shutdown.cancel();
    assert!(token.is_cancelled());
}

#[test]
fn a_token_of_what_cannot_end_is_never_cancelled() {
    assert!(!root().cancellation_token().is_cancelled());
    let (ctx, canceller) = root().with_cancel();
    let token = ctx.detach("a test").cancellation_token();
    canceller.cancel();
    assert!(!token.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_token_is_cancelled_on_time_at_a_deadline_that_nobody_else_waits_for() {
    let token = root().with_timeout(secs(5)).cancellation_token();
    sleep(secs(4)).await;
    assert!(!token.is_cancelled());
    let begin = tokio::time::Instant::now();
    no_hang(token.cancelled()).await;
    assert_eq!(begin.elapsed().as_secs(), 1);
    assert!(root().with_timeout(secs(0)).cancellation_token().is_cancelled());
}

#[test]
fn outside_of_a_runtime_a_token_is_cancelled_when_somebody_looks() {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let ctx = runtime.block_on(async { root().with_timeout(secs(5)) });
    let token = ctx.cancellation_token();
    runtime.block_on(async {
        advance(secs(6)).await;
        assert!(!token.is_cancelled() && ctx.is_done() && token.is_cancelled());
    });
}

#[test]
fn without_timers_a_token_is_cancelled_at_the_deadline_all_the_same() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (ctx, canceller) = root().with_timeout(Duration::from_millis(5)).with_cancel();
    runtime.block_on(async { ctx.cancellation_token().cancelled().await });
    assert_eq!(ctx.cause(), Some(Cause::DeadlineExceeded));
    drop(canceller);
}

/// What a token costs does not grow with the square of what is above: that would take minutes, and gigabytes.
#[test]
fn a_token_below_twenty_thousand_is_cancelled_with_each_of_them() {
    let (top, shutdown) = root().with_cancel();
    let mut all = vec![top];
    while all.len() < 20_000 {
        let below = all.last().map(|above| above.with_cancel().0);
        all.extend(below);
    }
    let last = all.last().unwrap();
    let (below, canceller) = last.with_cancel();
    let tokens = [last.cancellation_token(), below.cancellation_token()];
    canceller.cancel();
    assert_eq!(tokens.each_ref().map(CancellationToken::is_cancelled), [false, true]);
    let middle = all[10_000].with_cancel().0.cancellation_token();
    shutdown.cancel_with(Cause::Shutdown);
    assert!(tokens[0].is_cancelled() && middle.is_cancelled());
    assert!(last.cancellation_token().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_token_keeps_no_context_whose_end_came_from_above() {
    let value = Arc::new(());
    let (server, shutdown) = root().with_cancel();
    let ctx = server.with_value(Arc::clone(&value)).with_timeout(secs(3_600));
    let token = ctx.cancellation_token();
    drop(ctx);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&value), 2, "it is kept until its deadline");
    shutdown.cancel();
    assert!(token.is_cancelled());
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&value), 1, "an hour early, somebody holds the context");
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[test]
fn a_context_may_end_with_its_own_token() {
    let (ctx, canceller) = root().with_cancel();
    let child = ctx.with_token(&ctx.cancellation_token());
    let token = child.with_token(&child.cancellation_token()).cancellation_token();
    canceller.cancel_with(Cause::Shutdown);
    assert!(token.is_cancelled());
    assert_eq!(child.cause(), Some(Cause::Shutdown));
}

#[test]
fn tokens_and_contexts_that_end_each_other_from_many_threads_do_not_deadlock() {
    for round in 0..50 {
        let root_token = CancellationToken::new();
        let mut all = vec![(root_token.clone(), root().with_token(&root_token))];
        for n in 0..20 {
            let (token, ctx) = &all[(n * 7 + round) % all.len()];
            let below = ctx.with_token(&token.child_token());
            all.push((below.cancellation_token(), below));
        }
        thread::scope(|scope| {
            for n in 0..3 {
                let all = &all;
                scope.spawn(move || {
                    for step in 0..all.len() {
                        let (token, ctx) = &all[(step * 13 + n * 5) % all.len()];
                        drop(ctx.cancellation_token());
                        drop(ctx.with_token(&token.child_token()));
                        if step % 7 == n {
                            token.cancel();
                        }
                    }
                });
            }
            root_token.cancel();
        });
        assert!(all.iter().all(|(token, ctx)| token.is_cancelled() && ctx.is_done()));
    }
}

#[test]
fn rule_3_4_7_a_cause_in_one_word() {
    let words = [
        (Cause::Cancelled, "cancelled"),
        (Cause::DeadlineExceeded, "deadline_exceeded"),
        (Cause::Disconnected, "disconnected"),
        (Cause::Finished, "finished"),
        (Cause::Shutdown, "shutdown"),
        (custom("disk full"), "custom"),
    ];
    for (cause, word) in words {
        assert_eq!(cause.as_str(), word);
        assert_eq!(Cancelled::from(cause.clone()), Cancelled::new(cause));
    }
}

#[tokio::test(start_paused = true)]
async fn a_canceller_tells_whether_its_context_has_ended_by_whatever() {
    let (server, shutdown) = root().with_cancel();
    let (_request, by_parent) = server.with_cancel();
    let (_late, by_deadline) = root().with_timeout(secs(1)).with_cancel();
    assert!(!by_parent.is_cancelled() && !by_deadline.is_cancelled());
    shutdown.cancel();
    advance(secs(1)).await;
    assert!(shutdown.is_cancelled() && by_parent.is_cancelled() && by_deadline.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_36_a_timeout_is_bounded_by_the_budget_too() {
    let ctx = root().with_timeout(secs(5));
    assert_eq!(ctx.timeout(secs(1), async { 7 }).await, Ok(7));
    let begin = tokio::time::Instant::now();
    let late = ctx.timeout(secs(1), std::future::pending::<()>()).await.unwrap_err();
    assert!(late.is_deadline() && begin.elapsed() == secs(1) && !ctx.is_done());
    let late = ctx.timeout(secs(60), std::future::pending::<()>()).await.unwrap_err();
    assert!(late.is_deadline() && begin.elapsed() == secs(5));
    assert_eq!(late.budget(), Some(secs(5)));
}
