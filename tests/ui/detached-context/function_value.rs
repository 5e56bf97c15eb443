//! A root that something else is to make, by the name of the function.

use ctxprop::{Background, Ctx, propagate};

#[propagate]
async fn given_away(cached: Option<Ctx>) -> Ctx {
    cached.unwrap_or_else(Ctx::background)
}

#[propagate]
async fn kept() -> Ctx {
    let make = <Ctx as Background>::todo;
    make()
}

fn main() {}
