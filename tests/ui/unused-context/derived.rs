//! A context that was derived for a call, which then got that of the function.
#![deny(warnings)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn named(ctx: Ctx) -> Result<u64, Cancelled> {
    let short = ctx.with_timeout(Duration::from_millis(100));
    load(1).await
}

#[propagate]
async fn carried() -> Result<u64, Cancelled> {
    let ctx = Ctx::current().with_value("de");
    load(1).await
}

fn main() {}
