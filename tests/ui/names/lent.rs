//! The context lent by `&mut`: what its name means then is seen by nobody.

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

fn narrow(ctx: &mut Ctx) {
    *ctx = ctx.with_value("narrow");
}

#[propagate(ctx = ctx)]
async fn swapped(mut ctx: Ctx, mut other: Ctx) -> Result<u64, Cancelled> {
    std::mem::swap(&mut ctx, &mut other);
    load(1).await
}

#[propagate(ctx = ctx)]
async fn replaced(mut ctx: Ctx, other: Ctx) -> Result<u64, Cancelled> {
    let before = std::mem::replace(&mut ctx, other);
    load(1).with(&before).await
}

#[propagate]
async fn handed_on(mut ctx: Ctx) -> Result<u64, Cancelled> {
    narrow(&mut ctx);
    load(1).await
}

#[propagate]
async fn in_a_closure(ctx: Ctx) -> Result<u64, Cancelled> {
    let later = |mut ctx: Ctx| {
        narrow(&mut ctx);
        async move { load(1).await }
    };
    later(ctx).await
}

#[propagate(ctx = ctx)]
async fn by_a_pattern(mut ctx: &Ctx, other: &Ctx) -> Result<u64, Cancelled> {
    let ref mut by_let = ctx;
    *by_let = other;
    match ctx {
        ref mut by_match => *by_match = other,
    }
    load(1).await
}

fn main() {}
