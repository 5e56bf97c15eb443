//! What an async closure says that it returns, and what it returns.

use ctxprop::{Cancelled, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn closures() -> Result<String, Cancelled> {
    let text = async |id: u64| -> Result<String, Cancelled> { Ok(load(id).await?) };
    let number = async |id: u64| -> u64 { load(id).await };
    let bare = async |id: u64| load(id).await? + 1;
    number(1).await;
    bare(1).await;
    text(1).await
}

fn main() {}
