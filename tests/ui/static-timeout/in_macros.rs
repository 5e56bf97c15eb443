//! As branches of macros.
#![deny(deprecated)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::{Cancelled, propagate};
use tokio::time::timeout;

#[propagate]
async fn joined() -> bool {
    tokio::join!(timeout(Duration::from_secs(1), async {})).0.is_ok()
}

#[propagate]
async fn selected() -> Result<bool, Cancelled> {
    tokio::select! {
        done = timeout(Duration::from_secs(1), async {}) => Ok(done.is_ok()),
        () = std::future::ready(()) => Ok(false),
    }
}

fn main() {}
