//! A call that is dropped did nothing.

#![deny(unused_must_use)]

use ctxprop::propagate;

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

#[propagate]
async fn checkout() {
    load_cart(1);
}

fn main() {
    let _ = checkout();
}
