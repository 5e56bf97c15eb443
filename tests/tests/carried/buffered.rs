//! `buffer_unordered` and `buffered`: streams of futures.

use ctxprop::{Cancelled, propagate};
use futures::{StreamExt, TryStreamExt, stream};

use super::{Repository, ctx, fallible, work};

#[propagate]
async fn unordered(ids: Vec<u32>) -> Vec<u32> {
    let mut all: Vec<_> = stream::iter(ids).map(|i| work(i)).buffer_unordered(4).collect().await;
    all.sort_unstable();
    all
}

#[propagate]
async fn by_name(ids: Vec<u32>) -> Vec<u32> {
    stream::iter(ids).map(work).buffered(2).collect::<Vec<_>>().await
}

#[propagate]
async fn of_calls() -> Vec<u32> {
    stream::iter(vec![work(1), work(2)]).buffered(2).collect().await
}

#[propagate]
async fn tried(repository: &Repository) -> Result<Vec<u32>, Cancelled> {
    let numbers: Vec<u32> =
        stream::iter([1, 2, 3]).map(|id| repository.get(id)).buffered(2).try_collect().await?;
    stream::iter(numbers).map(Ok).map_ok(|id| fallible(id)).try_buffered(2).try_collect().await
}

#[propagate]
async fn bound(ids: Vec<u32>) -> u32 {
    let stream = stream::iter(ids).map(|i| work(i)).buffer_unordered(2);
    let mut sum = 0;
    tokio::pin!(stream);
    while let Some(n) = stream.next().await {
        sum += n;
    }
    sum
}

#[tokio::test]
async fn buffers() {
    let ctx = ctx();
    assert_eq!(unordered(vec![1, 2, 3]).with(&ctx).await, [101, 102, 103]);
    assert_eq!(by_name(vec![1, 2]).with(&ctx).await, [101, 102]);
    assert_eq!(of_calls().with(&ctx).await, [101, 102]);
    let repository = Repository { step: 1 };
    assert_eq!(tried(&repository).with(&ctx).await, Ok(vec![201, 202, 203]));
    assert_eq!(bound(vec![1, 2]).with(&ctx).await, 203);
}
