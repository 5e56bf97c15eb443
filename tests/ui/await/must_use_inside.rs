//! What is unused is shown where it is, in blocks, closures and macros too.

#![deny(unused_must_use)]

use ctxprop::{Cancelled, propagate};

#[propagate]
async fn release(id: u64) -> Result<(), Cancelled> {
    let _ = id;
    Ok(())
}

#[propagate]
async fn unwinds() -> Result<(), Cancelled> {
    let block = async {
        release(1).await;
    };
    block.await;
    let closure = async |id: u64| {
        release(id).await;
    };
    closure(2).await;
    tokio::join!(release(3), release(4));
    tokio::select! {
        done = release(5) => done,
        done = release(6) => done,
    };
    release(7).await == Ok(());
    release(8).await.map(|done| done);
    Ok(())
}

fn main() {}
