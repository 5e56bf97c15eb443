//! What is given to a context runs under that one: shields stay exempt, tasks outlive the request (3.2.30).

use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};
use tokio::time::timeout;

use super::{Marker, ctx, fallible, work};

#[propagate]
async fn shielded(ctx: Ctx) -> Result<u32, Cancelled> {
    let limit = Duration::from_secs(1);
    // The context has ended: no leaf begins, and a shield does.
    assert!(fallible(1).await.is_err());
    let bound = fallible(2);
    Ok(ctx.shield(limit, fallible(1)).await?? + ctx.shield(limit, bound).await??)
}

#[tokio::test]
async fn shields() {
    let (ctx, canceller) = ctx().with_cancel();
    canceller.cancel();
    assert_eq!(shielded(ctx).await, Ok(203));
}

#[propagate(ctx = ctx)]
async fn others(ctx: Ctx, other: &Ctx) -> Result<u32, Cancelled> {
    let limit = Duration::from_secs(60);
    let child = ctx.with_value(Marker(200));
    let mut sum =
        child.run(work(1)).await? + other.run(work(1)).await? + other.scope(work(1)).await;
    sum += ctx.spawn(work(1)).await? + other.spawn(work(1)).await?;
    // inside of something narrower a call goes with that
    sum += child.run(timeout(limit, work(1))).await?.unwrap_or(0);
    Ok(sum + work(1).with(other).await)
}

#[tokio::test]
async fn contexts_that_are_named() {
    let other = ctx().with_value(Marker(1000));
    assert_eq!(others(ctx(), &other).await, Ok(201 + 1001 + 1001 + 101 + 1001 + 201 + 1001));
}
