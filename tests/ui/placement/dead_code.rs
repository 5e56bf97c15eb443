//! What nothing calls is reported as any function is.

#![deny(dead_code)]

use ctxprop::{Ctx, propagate};

#[propagate]
async fn carried(id: u64) -> u64 {
    id
}

#[propagate]
async fn given(ctx: &Ctx) {}

#[propagate(boxed)]
async fn boxed(ctx: &Ctx) {}

struct Memory;

#[propagate]
impl Memory {
    async fn method(&self) {}
}

fn main() {
    let _ = Memory;
}
