//! `join_all`, `try_join_all`, `select_all`, `join` and `select` of futures.

use ctxprop::{Cancelled, propagate};
use futures::future::{self, join_all, select_all, select_ok, try_join_all};

use super::{Repository, ctx, fallible, plain, work};

#[propagate]
async fn of_functions(ids: &[u32]) -> Vec<u32> {
    join_all(ids.iter().map(|i| work(*i))).await
}

#[propagate]
async fn by_name(ids: Vec<u32>) -> Vec<u32> {
    join_all(ids.into_iter().map(work)).await
}

#[propagate]
async fn of_a_list() -> Vec<u32> {
    let mut all = join_all([work(1), work(2)]).await;
    all.extend(join_all(vec![work(3), work(4)]).await);
    all.extend(join_all((5..7).filter(|n| n % 2 == 0).map(|n| work(n)).rev()).await);
    all
}

#[propagate]
async fn tried(ids: &[u32]) -> Result<Vec<u32>, Cancelled> {
    let mut all = try_join_all(ids.iter().copied().map(|i| fallible(i))).await?;
    let more: Vec<_> = ids.iter().map(|&i| fallible(i)).collect();
    all.extend(try_join_all(more).await?);
    Ok(all)
}

#[propagate]
impl Repository {
    async fn load_all(&self, ids: &[u32]) -> Vec<u32> {
        join_all(ids.iter().map(|i| self.load(*i))).await
    }

    async fn get_all(&self, ids: &[u32]) -> Result<Vec<u32>, Cancelled> {
        let calls = ids.iter().map(|id| self.get(*id));
        try_join_all(calls).await
    }
}

#[propagate]
async fn of_a_repository(repository: &Repository) -> Result<Vec<u32>, Cancelled> {
    try_join_all([1, 2].iter().map(|id| repository.get(*id))).await
}

#[propagate]
async fn of_both() -> (u32, u32, u32) {
    let (a, b) = future::join(work(1), plain(2)).await;
    let (first, _, others) = select_all([Box::pin(work(7)), Box::pin(work(7))]).await;
    assert_eq!(others.len(), 1);
    (a, b, first)
}

#[propagate]
async fn the_first_that_succeeds() -> Result<u32, Cancelled> {
    let (value, _) = select_ok(vec![Box::pin(fallible(1)), Box::pin(fallible(1))]).await?;
    Ok(value)
}

#[tokio::test]
async fn joins() {
    let ctx = ctx();
    assert_eq!(of_functions(&[1, 2]).with(&ctx).await, [101, 102]);
    assert_eq!(by_name(vec![1, 2]).with(&ctx).await, [101, 102]);
    assert_eq!(of_a_list().with(&ctx).await, [101, 102, 103, 104, 106]);
    assert_eq!(tried(&[1]).with(&ctx).await, Ok(vec![101, 101]));
    let repository = Repository { step: 2 };
    assert_eq!(repository.load_all(&[1, 2]).with(&ctx).await, [102, 104]);
    assert_eq!(repository.get_all(&[1, 2]).with(&ctx).await, Ok(vec![102, 104]));
    assert_eq!(of_a_repository(&repository).with(&ctx).await, Ok(vec![102, 104]));
    assert_eq!(of_both().with(&ctx).await, (101, 2, 107));
    assert_eq!(the_first_that_succeeds().with(&ctx).await, Ok(101));
}
