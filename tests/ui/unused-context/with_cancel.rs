//! A context beside what ends it.
#![deny(warnings)]
#![allow(dead_code)]

use ctxprop::{Ctx, propagate};

#[propagate]
async fn tuple(ctx: Ctx) {
    let (child, canceller) = ctx.with_cancel();
    canceller.cancel();
}

#[propagate]
async fn in_a_tuple_of_types() {
    let (child, _canceller): (Ctx, ctxprop::Canceller) = Ctx::current().with_cancel();
}

fn main() {}
