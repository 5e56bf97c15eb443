//! Functions that were imported outside of the body, under whatever name, also through another crate.

use ctxprop::{Ctx, propagate};
use std::thread::spawn as thread;
use tokio::spawn as go;
use tokio::task::{spawn_blocking, spawn_local};

mod other_crate {
    pub use tokio::spawn;
}

async fn work(_: u8) {}
fn block() {}

#[propagate]
async fn called() {
    go(async {});
    go(work(1));
    let later = work(2);
    let task = other_crate::spawn(later);
    drop(task);
    spawn_local(work(4));
    spawn_blocking(block);
    thread(|| block());
}

#[propagate]
async fn awaited() -> bool {
    spawn_blocking(|| ()).await.is_ok() && go(async {}).await.is_ok()
}

#[propagate]
async fn in_places() {
    let _ = || go(async {});
    let _ = async { go(work(1)) };
    println!("{:?}", go(work(2)));
    let _ = tokio::join!(go(async {}), async { 1 });
}

#[propagate]
fn in_a_plain_function(ctx: &Ctx) {
    let _ = (ctx, go(work(1)));
}

fn main() {}
