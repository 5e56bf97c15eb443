//! The name of the context bound to a `&mut Ctx`.

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn in_a_loop(ctx: Ctx, mut others: Vec<Ctx>) -> Result<u64, Cancelled> {
    for ctx in others.iter_mut() {
        *ctx = ctx.with_value("narrow");
        load(1).await?;
    }
    load(2).with(&ctx).await
}

#[propagate]
async fn in_a_pattern(ctx: Ctx, mut other: Option<Ctx>) -> Result<u64, Cancelled> {
    if let Some(ref mut ctx) = other {
        return load(1).with(ctx).await;
    }
    load(2).with(&ctx).await
}

#[propagate(ctx = ctx)]
async fn in_a_closure(ctx: &Ctx, mut other: Ctx) -> Result<u64, Cancelled> {
    let _ = ctx;
    let later = |ctx: &mut Ctx| {
        *ctx = ctx.with_value("narrow");
        async { load(1).await }
    };
    later(&mut other).await
}

fn main() {}
