//! A call that was given no context is not a future.

use ctxprop::propagate;

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

async fn checkout() -> u64 {
    load_cart(1).await
}

fn main() {
    drop(checkout());
}
