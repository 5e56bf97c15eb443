//! A mistake inside a body is shown where it is, and once.

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load_cart(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn wrong_argument(ctx: Ctx) -> Result<u64, Cancelled> {
    drop(ctx);
    load_cart("one").await
}

#[propagate]
async fn wrong_result() -> Result<String, Cancelled> {
    load_cart(1).await
}

#[propagate]
async fn wrong_error() -> Result<u64, std::fmt::Error> {
    Ok(load_cart(1).await?)
}

#[propagate]
async fn unknown_name() -> Result<u64, Cancelled> {
    load_card(1).await
}

fn main() {}
