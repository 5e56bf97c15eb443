//! Closures without `move` that make async blocks, where the name of the context is bound anew: they borrow what it means.

use ctxprop::{Ctx, propagate};

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

#[propagate]
async fn assigned_meanwhile(mut ctx: Ctx) -> u64 {
    let load = |id| async move { load_cart(id).await };
    ctx = ctx.with_value("later");
    assert!(!ctx.is_done());
    load(1).await
}

#[propagate]
async fn in_a_loop(mut ctx: Ctx) -> u64 {
    let tries = || async { load_cart(1).await };
    while tries().await == 0 {
        ctx = ctx.with_value("again");
    }
    2
}

#[propagate]
async fn beyond_the_block(ctx: Ctx) -> u64 {
    let load = {
        let ctx = ctx.with_value("inside");
        assert!(!ctx.is_done());
        |id| async move { load_cart(id).await }
    };
    load(1).await
}

fn main() {}
