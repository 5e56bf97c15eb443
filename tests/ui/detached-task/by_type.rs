//! Modules that were imported outside of the body, also through another crate: asked by type.

use ctxprop::propagate;
use std::thread;

mod other_crate {
    pub use tokio::task;
}

use other_crate::task;

#[propagate]
async fn modules() {
    thread::spawn(|| ());
    task::spawn(async {});
    task::spawn_blocking(|| ());
    let _ = [async {}].map(task::spawn_local);
}

fn main() {
    let _ = modules();
}
