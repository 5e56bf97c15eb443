//! A call that is bound to a name first.

use std::time::Duration;

use ctxprop::{Cancelled, propagate};
use futures::future::{join_all, try_join_all};
use tokio::time::timeout;

use super::{Repository, ctx, fallible, work};

#[propagate]
async fn bound(limit: Duration, repository: &Repository) -> Result<u32, Cancelled> {
    let f = work(1);
    let mut sum = timeout(limit, f).await.unwrap_or(0);
    let a = repository.get(1);
    let b = repository.get(2);
    sum += try_join_all([a, b]).await?.iter().sum::<u32>();
    let mut calls = Vec::new();
    for n in 0..2 {
        calls.push(work(n));
    }
    sum += join_all(calls).await.iter().sum::<u32>();
    let make = |n| fallible(n);
    sum += try_join_all((0..2).map(make)).await?.iter().sum::<u32>();
    // awaited where it stands it is as before
    let later = work(1);
    Ok(sum + later.await)
}

#[tokio::test]
async fn names() {
    let limit = Duration::from_secs(60);
    let sum = bound(limit, &Repository { step: 1 }).with(&ctx()).await;
    assert_eq!(sum, Ok(101 + 203 + 201 + 201 + 101));
}
