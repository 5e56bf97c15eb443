//! A warning, asked by type: under whatever name, wherever the duration stands in the code.

#![deny(warnings)]

use std::time::Duration;

use ctxprop::{Ctx, propagate};
use tokio::time::{self, timeout, timeout as within};

trait Seconds {
    fn seconds(self) -> Duration;
}

impl Seconds for u64 {
    fn seconds(self) -> Duration {
        Duration::from_secs(self)
    }
}

#[propagate]
async fn literal() -> Option<()> {
    tokio::time::timeout(Duration::from_secs(5), async {}).await.ok()?;
    timeout(std::time::Duration::from_millis(5 * 60), async {}).await.ok()?;
    time::timeout(Duration::from_secs(2) * 2, async {}).await.ok()?;
    let later = || within(5.seconds(), async {});
    later().await.ok()?;
    let _ = vec![timeout(Duration::new(5, 0), async {})];
    None
}

#[propagate]
fn plain(ctx: &Ctx) -> time::Timeout<std::future::Ready<()>> {
    let _ = ctx;
    timeout(Duration::from_secs(5), std::future::ready(()))
}

fn main() {
    let _ = (literal(), plain);
}
