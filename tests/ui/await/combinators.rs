//! A call of a `#[propagate]` function that is given to what awaits it, where nothing gives it a context: one mistake, and where
//! rustc finds it twice both say the fix. In a `#[propagate]` body each of these carries its context.

use std::time::Duration;

use ctxprop::{Cancelled, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

async fn boxed() -> Result<u64, Cancelled> {
    Box::pin(load(1)).await
}

async fn with_methods_of_futures() -> Result<u64, Cancelled> {
    load(1).boxed().await?;
    load(1).map(|value| value.unwrap_or_default()).await;
    load(1).then(|value| async move { value }).await
}

async fn with_their_type_parameters() -> Result<u64, Cancelled> {
    load(1).map::<u64, _>(Result::unwrap_or_default).await;
    load(1).map_ok::<u64, _>(u64::from).await
}

/// One error: the value has the type that it has of a future.
fn of_a_known_type() -> futures::future::BoxFuture<'static, Result<u64, Cancelled>> {
    load(1).boxed()
}

async fn timeout(wait: Duration) -> Result<u64, Cancelled> {
    tokio::time::timeout(wait, load(1)).await.unwrap_or(Ok(0))
}

async fn all(ids: Vec<u64>) -> usize {
    futures::future::join_all(ids.iter().map(|id| load(*id))).await.len()
}

/// A closure that neither says `move` nor borrows may leave the function.
#[propagate]
async fn unknown() -> Result<u64, Cancelled> {
    retry(|| load(1)).await
}

async fn retry<F: Future<Output = Result<u64, Cancelled>>>(f: impl FnOnce() -> F) -> F::Output {
    f().await
}

fn main() {}
