//! `then` and the other methods of streams and futures whose closure makes a future.

use ctxprop::{Cancelled, propagate};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, stream};

use super::{Repository, ctx, fallible, work};

#[propagate]
async fn of_a_stream(ids: Vec<u32>) -> Vec<u32> {
    let mut all: Vec<u32> = stream::iter(ids.clone()).then(|i| work(i)).collect().await;
    all.extend(stream::iter(ids).then(work).collect::<Vec<_>>().await);
    all
}

#[propagate]
async fn of_a_future() -> Result<u32, Cancelled> {
    let n = work(1).then(|n| work(n)).await;
    fallible(n).and_then(|n| fallible(n)).map_ok(|n| n + 1).await
}

#[propagate]
async fn kept(repository: &Repository) -> Vec<u32> {
    stream::iter([1, 2])
        .filter_map(|n| async move { (n > 1).then(|| n) })
        .chain(stream::iter([3]))
        .then(|n| repository.load(n))
        .collect()
        .await
}

#[propagate]
async fn tried() -> Result<u32, Cancelled> {
    stream::iter([Ok(1), Ok(2)]).and_then(|n| fallible(n)).try_fold(0, |sum, n| add(sum, n)).await
}

#[propagate]
async fn add(a: u32, b: u32) -> Result<u32, Cancelled> {
    Ok(a + b + work(0).await)
}

#[tokio::test]
async fn streams_and_futures() {
    let ctx = ctx();
    assert_eq!(of_a_stream(vec![1, 2]).with(&ctx).await, [101, 102, 101, 102]);
    assert_eq!(of_a_future().with(&ctx).await, Ok(402));
    assert_eq!(kept(&Repository { step: 1 }).with(&ctx).await, [102, 103]);
    assert_eq!(tried().with(&ctx).await, Ok(403));
}
