//! The rules hold in a plain function that is given a context.

use ctxprop::{Background, Ctx, propagate};

#[propagate]
fn helper(ctx: &Ctx) -> Ctx {
    drop(ctx.clone());
    Ctx::background()
}

fn main() {
    helper(&Ctx::background());
}
