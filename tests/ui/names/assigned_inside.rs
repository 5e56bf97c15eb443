//! The context assigned in a closure or an async block, which have a copy of what its name means.

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn in_a_closure(mut ctx: Ctx) -> Result<u64, Cancelled> {
    let mut narrow = || ctx = ctx.with_value("narrow");
    narrow();
    load(1).await
}

#[propagate]
async fn in_a_block(mut ctx: Ctx) -> Result<u64, Cancelled> {
    async {
        ctx = ctx.with_value("narrow");
        load(1).await
    }
    .await?;
    load(2).await
}

#[propagate]
async fn in_a_closure_of_its_own(mut ctx: Ctx) -> Result<u64, Cancelled> {
    let mut narrow = move |other: &Ctx| {
        ctx.clone_from(other);
        async { load(1).await }
    };
    let other = Ctx::current();
    narrow(&other).await
}

fn main() {}
