//! `for_each_concurrent`, `try_for_each_concurrent` and `for_each`.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use ctxprop::{Cancelled, propagate};
use futures::{StreamExt, TryStreamExt, stream};

use super::{ctx, work};

#[propagate]
async fn count(n: u32, sum: &AtomicU32) {
    sum.fetch_add(work(n).await, SeqCst);
}

#[propagate]
async fn try_count(n: u32, sum: &AtomicU32) -> Result<(), Cancelled> {
    count(n, sum).await;
    Ok(())
}

#[propagate]
async fn all(sum: &AtomicU32) -> Result<(), Cancelled> {
    stream::iter([1, 2]).for_each_concurrent(2, |n| count(n, sum)).await;
    stream::iter([1, 2]).for_each(|n| count(n, sum)).await;
    stream::iter([Ok(1), Ok(2)]).try_for_each_concurrent(None, |n| try_count(n, sum)).await
}

#[tokio::test]
async fn for_each() {
    let sum = AtomicU32::new(0);
    all(&sum).with(&ctx()).await.unwrap();
    assert_eq!(sum.into_inner(), 609);
}
