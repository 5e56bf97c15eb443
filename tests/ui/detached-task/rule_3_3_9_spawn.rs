//! Each way to start work that loses the context.

use ctxprop::{Ctx, propagate};

#[propagate]
async fn checkout(ctx: Ctx) {
    tokio::spawn(async {});
    ::tokio::task::spawn(async {});
    tokio::task::spawn_blocking(|| ());
    std::thread::spawn(|| ());
    let later = || tokio::spawn(async {});
    let block = async { tokio::spawn(load_cart(1)).await };
    println!("{:?}", tokio::task::spawn_local(async {}));
    let _ = (ctx, later, block);
}

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

fn main() {}
