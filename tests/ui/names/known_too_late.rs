//! A parameter of the context's name, of which rustc learns only later that it is none.

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn counts(ctx: Ctx) -> Result<u64, Cancelled> {
    ctx.check()?;
    let later = |ctx| async move { (ctx, load(1).await).1 };
    later(7_u32).await
}

fn main() {}
