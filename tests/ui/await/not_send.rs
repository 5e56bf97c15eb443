//! A function is `Send` exactly when the `async fn` would be.

use ctxprop::{Ctx, propagate};

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

#[propagate]
async fn checkout() -> u64 {
    let local = std::rc::Rc::new(1);
    load_cart(*local).await + *local
}

fn serve(ctx: &Ctx) {
    drop(ctx.spawn(checkout()));
}

fn main() {
    let _ = serve;
}
