//! moka's caches, which load what is missing once for all who wait.

use ctxprop::{Cancelled, propagate};
use moka::future::Cache;

use super::{ctx, fallible, work};

#[propagate]
async fn cached(cache: &Cache<u32, u32>) -> Option<u32> {
    let a = cache.get_with(1, work(1)).await;
    let b = cache.try_get_with(2, fallible(2)).await.ok()?;
    let c = cache.entry(3).or_insert_with(work(3)).await.into_value();
    let again: Result<u32, std::sync::Arc<Cancelled>> = cache.try_get_with(2, fallible(9)).await;
    Some(a + b + c + again.ok()?)
}

#[tokio::test]
async fn caches() {
    assert_eq!(cached(&Cache::new(10)).with(&ctx()).await, Some(102 + 101 + 102 + 103));
}
