//! With the type of the future written out, and a duration that is computed of numbers alone.
#![deny(deprecated)]
#![allow(dead_code)]

use std::future::Ready;
use std::time::Duration;

use ctxprop::propagate;

#[propagate]
async fn written_out() -> bool {
    let ready = std::future::ready(());
    tokio::time::timeout::<Ready<()>>(Duration::from_secs(60 * 60), ready).await.is_ok()
}

#[propagate]
async fn computed() -> bool {
    let wait = tokio::time::timeout(2 * Duration::from_millis(10) + Duration::from_secs(1), async {});
    wait.await.is_ok()
}

fn main() {}
