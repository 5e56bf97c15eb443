//! A call of a `#[propagate]` function that is given to what awaits it: one mistake, and where rustc finds it twice both
//! say the fix.

use std::time::Duration;

use ctxprop::{Cancelled, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn pinned() -> Result<u64, Cancelled> {
    let call = load(1);
    tokio::pin!(call);
    tokio::select! {
        value = &mut call => value,
        () = std::future::ready(()) => Ok(0),
    }
}

#[propagate]
async fn joined() -> Result<u64, Cancelled> {
    let mut call = std::pin::pin!(load(1));
    tokio::join!(&mut call, load(2)).0
}

#[propagate]
async fn boxed() -> Result<u64, Cancelled> {
    Box::pin(load(1)).await
}

#[propagate]
async fn in_a_block() -> Result<u64, Cancelled> {
    let block = async { Box::pin(load(1)).await };
    block.await
}

#[propagate]
async fn with_methods_of_futures() -> Result<u64, Cancelled> {
    load(1).boxed().await?;
    load(1).map(|value| value.unwrap_or_default()).await;
    load(1).then(|value| async move { value }).await
}

#[propagate]
async fn timeout(wait: Duration) -> Result<u64, Cancelled> {
    tokio::time::timeout(wait, load(1)).await.unwrap_or(Ok(0))
}

#[propagate]
async fn all(ids: Vec<u64>) -> usize {
    futures::future::join_all(ids.iter().map(|id| load(*id))).await.len()
}

#[propagate]
async fn either() {
    futures::future::select(load(1), std::future::ready(())).await;
}

#[propagate]
async fn task() -> usize {
    let mut set = tokio::task::JoinSet::new();
    set.spawn(load(1));
    set.len()
}

async fn plain() -> Result<u64, Cancelled> {
    Box::pin(load(1)).await?;
    load(1).boxed().await
}

fn main() {}
