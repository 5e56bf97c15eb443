//! A module that was imported outside of the body, and the methods of a runtime: asked by type.

use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use ctxprop::{Ctx, propagate};
use tokio::runtime::{Handle, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

struct Service {
    runtime: Arc<Runtime>,
}

impl Service {
    #[propagate]
    async fn run(&self, handle: &Handle) -> std::io::Result<()> {
        thread::sleep(Duration::from_secs(1));
        self.runtime.block_on(async {});
        handle.block_on(async {});
        RUNTIME.block_on(async {});
        Handle::current().block_on(async {});
        Runtime::new()?.block_on(async {});
        Ok(())
    }
}

#[propagate]
fn plain(ctx: &Ctx) {
    thread::sleep(ctx.remaining().unwrap_or_default());
    (RUNTIME).block_on(async {});
}

fn main() {}
