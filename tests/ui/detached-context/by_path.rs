//! A root by its full path.

use ctxprop::{Ctx, propagate};

#[propagate]
async fn load_cart(id: u64) -> u64 {
    let ctx = ctxprop::Ctx::background();
    let todo: Ctx = ctxprop::Background::todo();
    drop((ctx, todo));
    id
}

fn main() {
    let _ = load_cart(1);
}
