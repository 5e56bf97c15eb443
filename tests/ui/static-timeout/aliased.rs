//! Under another name, and from another module.
#![deny(deprecated)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::propagate;
use tokio::time::timeout as within;

mod prelude {
    pub use tokio::time::timeout;
}

#[propagate]
async fn aliased() -> bool {
    within(Duration::from_secs(5), async {}).await.is_ok()
}

#[propagate]
async fn exported() -> bool {
    prelude::timeout(Duration::from_secs(5), async {}).await.is_ok()
}

fn main() {}
