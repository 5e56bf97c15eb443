//! Derived once more, and only the first of them is used.
#![deny(warnings)]
#![allow(dead_code)]

use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};

#[propagate]
async fn load(id: u64) -> Result<u64, Cancelled> {
    Ok(id)
}

#[propagate]
async fn chained(ctx: Ctx) -> Result<u64, Cancelled> {
    let short = ctx.with_timeout(Duration::from_millis(100));
    let told = short.with_value("de");
    load(1).await
}

#[propagate]
async fn needed_no_allow(ctx: Ctx) -> Result<u64, Cancelled> {
    #[propagate(allow(unused_context, reason = "it is used"))]
    let short = ctx.with_timeout(Duration::from_millis(100));
    load(1).with(&short).await
}

fn main() {}
