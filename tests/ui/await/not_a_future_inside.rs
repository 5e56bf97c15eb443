//! Not a future, where several are awaited together.

use ctxprop::{Cancelled, propagate};

#[propagate]
async fn unwinds(id: u64) -> Result<u64, Cancelled> {
    tokio::select! {
        value = id => Ok(value),
        value = std::future::ready(2) => Ok(value),
    }
}

#[propagate]
async fn joins(id: u64) -> (u64, u64) {
    tokio::join!(id, std::future::ready(2))
}

#[propagate]
async fn in_a_block(id: u64) -> u64 {
    let block = async { id.await };
    block.await
}

fn main() {}
