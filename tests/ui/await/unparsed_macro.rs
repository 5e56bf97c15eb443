//! A macro with a language of its own is left as it is: inside it a call needs `.with(&ctx)`.

use ctxprop::propagate;

macro_rules! run {
    (do $call:expr) => {
        $call.await
    };
}

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

#[propagate]
async fn checkout() -> u64 {
    run!(do load_cart(1))
}

fn main() {
    let _ = checkout();
}
