//! A closure without `move` borrows the context: rustc's own hint is right.

use ctxprop::{Ctx, propagate};

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

fn keep<F: Fn(u64) -> R + 'static, R>(load: F) -> F {
    load
}

#[propagate]
async fn checkout(ctx: Ctx, shop: &'static [u64]) -> u64 {
    let load = keep(|n| {
        let id = shop.len() as u64 + n;
        async move { load_cart(id).await }
    });
    drop(ctx);
    load(1).await
}

fn main() {}
