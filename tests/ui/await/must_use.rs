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

#[propagate]
async fn release(id: u64) -> Result<(), std::fmt::Error> {
    load_cart(id).await;
    Ok(())
}

#[propagate]
async fn forgets_the_error() {
    release(1).await;
}

fn main() {
    let _ = forgets_the_error();
    let _ = checkout();
}
