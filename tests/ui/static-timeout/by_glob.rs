//! Imported with everything else, inside of the body and outside.
#![deny(deprecated)]
#![allow(dead_code)]

use ctxprop::propagate;
use tokio::time::*;

#[propagate]
async fn outside() -> bool {
    timeout(Duration::from_millis(250), async {}).await.is_ok()
}

mod inside {
    use ctxprop::propagate;

    #[propagate]
    async fn everything() -> bool {
        use tokio::time::*;
        timeout(Duration::from_millis(250), async {}).await.is_ok()
    }
}

fn main() {}
