//! A closure without `move` that has a name borrows the context: rustc's own hint is right.

use ctxprop::{Ctx, propagate};

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

fn keep<F: Fn(u64) -> R + 'static, R>(load: F) -> F {
    load
}

#[propagate]
async fn checkout(ctx: Ctx) -> u64 {
    let load = |id| async move { load_cart(id).await };
    let load = keep(load);
    drop(ctx);
    load(1).await
}

fn main() {}
