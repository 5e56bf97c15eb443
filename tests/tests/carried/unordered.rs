//! `FuturesUnordered`, `FuturesOrdered` and `JoinSet`.

use ctxprop::propagate;
use futures::StreamExt;
use futures::stream::{FuturesOrdered, FuturesUnordered};
use tokio::task::JoinSet;

use super::{Repository, ctx, work};

#[propagate]
async fn pushed(repository: &Repository) -> u32 {
    let mut all = FuturesUnordered::new();
    all.push(repository.load(1));
    for n in [2, 3] {
        all.push(repository.load(n));
    }
    let mut sum = 0;
    while let Some(n) = all.next().await {
        sum += n;
    }
    sum
}

#[propagate]
async fn collected(ids: &[u32]) -> Vec<u32> {
    let ordered: FuturesOrdered<_> = ids.iter().map(|i| work(*i)).collect();
    let unordered = ids.iter().take(1).map(|i| work(*i)).collect::<FuturesUnordered<_>>();
    let mut all: Vec<u32> = ordered.collect().await;
    all.extend(unordered.collect::<Vec<_>>().await);
    all.extend(FuturesUnordered::from_iter([work(9)]).collect::<Vec<_>>().await);
    all
}

#[propagate]
async fn tasks() -> u32 {
    let mut tasks = JoinSet::new();
    for n in 0..3 {
        tasks.spawn(work(n));
    }
    tasks.join_all().await.into_iter().sum()
}

#[tokio::test]
async fn collections() {
    let ctx = ctx();
    assert_eq!(pushed(&Repository { step: 1 }).with(&ctx).await, 306);
    assert_eq!(collected(&[1, 2]).with(&ctx).await, [101, 102, 101, 109]);
    assert_eq!(tasks().with(&ctx).await, 303);
}
