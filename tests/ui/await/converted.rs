//! A function got the attribute: those that call it do not yet have it.

use ctxprop::{Cancelled, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

async fn asks() -> Result<u64, Cancelled> {
    let id = load(1).await?;
    Ok(id)
}

async fn matches() -> u64 {
    match load(1).await {
        Ok(id) => id,
        Err(_) => 0,
    }
}

async fn in_a_block() -> u64 {
    let block = async { load(1).await.unwrap_or(0) };
    block.await
}

#[tokio::main]
async fn main() {
    load(1).await.ok();
}
