//! Awaiting something that is neither a future nor a call.

use ctxprop::{Cancelled, propagate};

#[propagate]
async fn unwinds(id: u64) -> Result<u64, Cancelled> {
    Ok(id.await)
}

#[propagate]
async fn threads(id: u64) -> u64 {
    id.await
}

fn main() {
    let _ = (unwinds(1), threads(1));
}
