//! In closures and async blocks.
#![deny(deprecated)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::propagate;
use tokio::time::timeout;

#[propagate]
async fn closures() -> bool {
    let plain = || timeout(Duration::from_secs(1), async {});
    let made = async || timeout(Duration::from_secs(2), async {}).await.is_ok();
    plain().await.is_ok() && made().await
}

#[propagate]
async fn blocks() -> bool {
    let block = async { timeout(Duration::from_secs(3), async {}).await.is_ok() };
    block.await
}

fn main() {}
