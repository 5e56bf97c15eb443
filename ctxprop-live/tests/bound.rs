//! Memory is bounded, switched off nothing is known, and what is switched on late is found at its next poll. One test, since the
//! bound is the process's.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use tokio::sync::Notify;

const MOST: usize = 100;
const MANY_AWAITS: usize = 2_000;

static GO_ON: Notify = Notify::const_new();

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    // Twice, so that it is polled once more when it is told.
    GO_ON.notified().await;
    std::future::pending::<()>().await;
    Ok(())
}

/// Until all that is ready was polled.
async fn settle() {
    for _ in 0..3 * MOST {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn no_more_is_known_than_the_bound_says() {
    let (root, end) = Ctx::background().with_cancel();
    // Before it is switched on.
    let early = root.spawn(waits());
    settle().await;
    assert!(!ctxprop_live::is_enabled());
    assert!(ctxprop_live::snapshot().live.is_empty());

    assert!(ctxprop_live::enable_with(MOST));
    assert!(ctxprop_live::snapshot().live.is_empty(), "it was not polled since");
    GO_ON.notify_waiters();
    settle().await;
    let found = ctxprop_live::snapshot().live;
    assert_eq!(found.len(), 1);
    assert!(found[0].name.ends_with("bound::waits") && found[0].awaits.len() == 1, "{found:#?}");

    for _ in 0..3 * MOST {
        drop(root.spawn(waits()));
    }
    settle().await;
    let full = ctxprop_live::snapshot();
    assert_eq!(full.live.len(), MOST);
    assert_eq!(full.counts.untracked, 2 * MOST as u64 + 1);

    // Once there is room, what is polled is let in; once all is over, nothing is left.
    end.cancel_with(Cause::Shutdown);
    root.idle().await;
    drop(early);
    assert!(ctxprop_live::snapshot().live.is_empty());

    // Of one piece of work the awaits are bounded too.
    let (root, end) = Ctx::background().with_cancel();
    let many = (0..MANY_AWAITS).map(|_| waits().with(&root));
    drop(root.spawn(futures_util::future::join_all(many)));
    settle().await;
    let found = ctxprop_live::snapshot().live;
    // A scope is kept for each, and told with its await alone.
    assert_eq!(found.len(), 1);
    let awaits = found[0].awaits.len();
    assert!((100..=256).contains(&awaits), "{awaits}");
    end.cancel();
    root.idle().await;

    ctxprop_live::disable();
    let (root, _end) = Ctx::background().with_cancel();
    drop(root.spawn(waits()));
    settle().await;
    assert!(!ctxprop_live::is_enabled() && ctxprop_live::snapshot().live.is_empty());
    assert!(ctxprop_live::enable());
}
