//! `tokio::spawn` takes futures, and a call without a context is none.

use ctxprop::propagate;

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

fn main() {
    tokio::spawn(load_cart(1));
}
