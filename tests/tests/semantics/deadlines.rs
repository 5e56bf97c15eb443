//! Deadlines and budgets: rules 3.1.1, 3.1.5 and 3.1.10.

use std::time::Duration;

use ctxprop::{Background, Cause, Ctx};
use tokio::time::{Instant, advance};

use crate::support::{custom, poll_once, root, secs};

#[tokio::test(start_paused = true)]
async fn rule_3_1_1_a_child_has_the_earlier_of_its_parents_and_its_own_deadline() {
    let start = Instant::now();
    let parent = root().with_timeout(secs(10));
    let cases: [(&str, Ctx, u64); 12] = [
        ("earlier timeout", parent.with_timeout(secs(3)), 3),
        ("later timeout", parent.with_timeout(secs(30)), 10),
        ("same timeout", parent.with_timeout(secs(10)), 10),
        ("no end of a timeout", parent.with_timeout(Duration::MAX), 10),
        ("earlier deadline", parent.with_deadline(start + secs(4)), 4),
        ("later deadline", parent.with_deadline(start + secs(40)), 10),
        ("share", parent.with_budget_share(0.5), 5),
        ("value", parent.with_value(1_u8), 10),
        ("cancel", parent.with_cancel().0, 10),
        ("span", parent.child_span(), 10),
        ("grandchild", parent.with_timeout(secs(2)).with_timeout(secs(5)), 2),
        ("through a value", parent.with_value(1_u8).with_timeout(secs(99)), 10),
    ];
    for (name, child, expected) in cases {
        assert_eq!(child.deadline(), Some(start + secs(expected)), "{name}");
        assert_eq!(child.remaining(), Some(secs(expected)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_5_zero_past_and_present_end_it_at_once() {
    advance(secs(100)).await;
    let now = Instant::now();
    for (name, ctx) in [
        ("zero", root().with_timeout(Duration::ZERO)),
        ("now", root().with_deadline(now)),
        ("past", root().with_deadline(now - secs(50))),
        ("past, under a deadline", root().with_timeout(secs(9)).with_deadline(now - secs(50))),
        ("zero share", root().with_timeout(secs(9)).with_budget_share(0.0)),
    ] {
        assert_eq!(ctx.cause(), Some(Cause::DeadlineExceeded), "{name}");
        assert_eq!(ctx.remaining(), Some(Duration::ZERO), "{name}");
        assert!(poll_once(std::pin::pin!(ctx.done())).is_ready(), "{name}");
        assert!(ctx.with_value(1_u8).check().unwrap_err().is_deadline(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_5_one_nanosecond_before_the_deadline_it_lasts() {
    let (ctx, canceller) = root().with_timeout(secs(5)).with_cancel();
    advance(secs(5) - Duration::from_nanos(1)).await;
    assert!(!ctx.is_done());
    assert_eq!(ctx.remaining(), Some(Duration::from_nanos(1)));
    canceller.cancel();
    assert_eq!(ctx.cause(), Some(Cause::Cancelled), "explicit, before the deadline");
    advance(secs(5)).await;
    assert_eq!(ctx.cause(), Some(Cause::Cancelled), "and so it stays");
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_5_an_explicit_cancel_at_or_after_an_unobserved_deadline_came_too_late() {
    for late in [Duration::ZERO, Duration::from_nanos(1), secs(100)] {
        let (ctx, canceller) = root().with_timeout(secs(5)).with_cancel();
        advance(secs(5) + late).await;
        canceller.cancel_with(custom("too late"));
        assert_eq!(ctx.cause(), Some(Cause::DeadlineExceeded), "late by {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_5_a_parent_cancelled_after_a_childs_unobserved_deadline_keeps_the_childs_cause() {
    let (parent, canceller) = root().with_cancel();
    let child = parent.with_timeout(secs(1));
    let grandchild = child.with_cancel().0;
    let later = parent.with_timeout(secs(10));
    advance(secs(2)).await;
    canceller.cancel_with(Cause::Shutdown);
    assert_eq!(parent.cause(), Some(Cause::Shutdown));
    assert_eq!(child.cause(), Some(Cause::DeadlineExceeded));
    assert_eq!(grandchild.cause(), Some(Cause::DeadlineExceeded));
    assert_eq!(later.cause(), Some(Cause::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_2_a_deadline_ends_neither_parent_nor_sibling() {
    let (parent, _canceller) = root().with_timeout(secs(10)).with_cancel();
    let (short, sibling) = (parent.with_timeout(secs(1)), parent.with_timeout(secs(2)));
    advance(secs(1)).await;
    assert!(short.is_done() && !sibling.is_done() && !parent.is_done());
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_10_the_clock_is_tokios_and_every_look_sees_it() {
    type Look = fn(&Ctx) -> bool;
    let looks: [(&str, Look); 5] = [
        ("is_done", |ctx| ctx.is_done()),
        ("cause", |ctx| ctx.cause().is_some()),
        ("check", |ctx| ctx.check().is_err()),
        ("remaining", |ctx| ctx.remaining() == Some(Duration::ZERO)),
        ("done", |ctx| poll_once(std::pin::pin!(ctx.done())).is_ready()),
    ];
    for (name, look) in looks {
        let ctx = root().with_timeout(secs(5));
        let heirs = [ctx.with_value(1_u8), ctx.with_cancel().0, ctx.child_span()];
        assert!(!look(&ctx) && !heirs.iter().any(look), "{name}: early");
        advance(secs(5)).await;
        assert!(heirs.iter().all(look), "{name}: an heir did not see it");
        assert!(look(&ctx), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_10_done_is_ready_at_the_deadline_and_not_before() {
    let start = Instant::now();
    let ctx = root().with_timeout(secs(7)).with_value(1_u8).with_cancel().0;
    assert_eq!(ctx.done().await, Cause::DeadlineExceeded);
    assert_eq!(start.elapsed(), secs(7));
}

#[tokio::test(start_paused = true)]
async fn rule_3_1_1_a_child_made_after_its_parents_unobserved_deadline_is_born_ended() {
    let parent = root().with_timeout(secs(1));
    advance(secs(2)).await;
    let (child, canceller) = parent.with_cancel();
    canceller.cancel_with(Cause::Shutdown);
    assert_eq!(child.cause(), Some(Cause::DeadlineExceeded));
    assert_eq!(parent.with_timeout(secs(60)).cause(), Some(Cause::DeadlineExceeded));
    assert_eq!(parent.with_budget_share(1.0).remaining(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_beyond_the_clock_is_as_good_as_never() {
    let ctx = root().with_timeout(Duration::MAX);
    assert!(ctx.deadline().is_none() && !ctx.is_done());
    assert!(poll_once(std::pin::pin!(ctx.done())).is_pending());
    assert!(poll_once(std::pin::pin!(ctx.run(std::future::pending::<()>()))).is_pending());
    let registration = ctx.on_done(|_| unreachable!("nothing ends it"));
    assert!(registration.stop());
}

/// The last instant that the clock can tell.
fn last_instant() -> Instant {
    let mut last = Instant::now();
    let seconds = (0..64).rev().map(|bit| secs(1 << bit));
    for step in seconds.chain((0..30).rev().map(|bit| Duration::from_nanos(1 << bit))) {
        last = last.checked_add(step).unwrap_or(last);
    }
    assert!(last.checked_add(Duration::from_nanos(1)).is_none());
    last
}

#[tokio::test(start_paused = true)]
async fn a_deadline_at_the_end_of_time_can_be_waited_for() {
    let ctx = root().with_deadline(last_instant());
    assert!(!ctx.is_done() && ctx.deadline().is_some());
    assert!(poll_once(std::pin::pin!(ctx.run(std::future::pending::<()>()))).is_pending());
    assert!(poll_once(std::pin::pin!(ctx.done())).is_pending());
}

#[tokio::test(start_paused = true)]
async fn far_deadlines_are_waited_for_and_shared() {
    for years in [1_u64, 3, 30, 1_000, 1_000_000] {
        let ctx = root().with_timeout(secs(years * 365 * 86_400));
        assert!(!ctx.is_done());
        assert!(poll_once(std::pin::pin!(ctx.done())).is_pending());
        assert!(poll_once(std::pin::pin!(ctx.scope(std::future::pending::<()>()))).is_pending());
        assert!(ctx.with_budget_share(0.5).remaining() < ctx.remaining());
    }
}

#[tokio::test(start_paused = true)]
async fn shares_outside_zero_to_one_are_clamped() {
    let parent = root().with_timeout(secs(10));
    for (share, expected) in [
        (0.4, secs(4)),
        (1.0, secs(10)),
        (1.5, secs(10)),
        (f64::INFINITY, secs(10)),
        (f64::MAX, secs(10)),
        (0.0, Duration::ZERO),
        (-0.0, Duration::ZERO),
        (-3.0, Duration::ZERO),
        (f64::NEG_INFINITY, Duration::ZERO),
        (f64::NAN, Duration::ZERO),
        (f64::MIN_POSITIVE, Duration::ZERO),
    ] {
        let child = parent.with_budget_share(share);
        assert_eq!(child.remaining(), Some(expected), "{share}");
        assert_eq!(child.is_done(), expected.is_zero(), "{share}");
        assert!(!parent.is_done());
    }
    advance(secs(4)).await;
    assert_eq!(
        parent.with_budget_share(0.5).remaining(),
        Some(secs(3)),
        "a share of what remains, not of what was granted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_share_of_no_deadline_is_no_deadline() {
    for share in [0.0, 0.5, f64::NAN] {
        let child = Ctx::background().with_budget_share(share);
        assert!(child.deadline().is_none() && !child.is_done(), "{share}");
    }
}
