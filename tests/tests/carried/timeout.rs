//! `tokio::time::timeout` and `timeout_at`.

use std::time::Duration;

use ctxprop::{Ctx, propagate};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Repository, ctx, work};

#[propagate]
async fn limited(limit: Duration, repository: &Repository) -> Option<u32> {
    let a = timeout(limit, work(1)).await.ok()?;
    let b = tokio::time::timeout(limit, repository.load(1)).await.ok()?;
    let c = timeout_at(Instant::now() + limit, async { work(1).await }).await.ok()?;
    Some(a + b + c)
}

/// Under the context that the name means.
#[propagate]
async fn under_another(ctx: Ctx, limit: Duration) -> Option<u32> {
    let ctx = ctx.with_value(super::Marker(200));
    assert!(!ctx.is_done());
    timeout(limit, work(1)).await.ok()
}

#[tokio::test]
async fn timeouts() {
    let ctx = ctx();
    let limit = Duration::from_secs(60);
    assert_eq!(limited(limit, &Repository { step: 1 }).with(&ctx).await, Some(303));
    assert_eq!(under_another(ctx, limit).await, Some(201));
}
