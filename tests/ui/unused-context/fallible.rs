//! A context that a fallible method derives.
#![deny(warnings)]
#![allow(dead_code)]

use ctxprop::{Baggage, BaggageError, Ctx, propagate};

#[derive(Baggage)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user: u64,
}

#[propagate]
async fn asked(ctx: &Ctx) -> Result<(), BaggageError> {
    let told = ctx.with_baggage(&Caller { user: 7 })?;
    Ok(())
}

#[propagate]
async fn expected(ctx: &Ctx) {
    let told = ctx.with_baggage(&Caller { user: 7 }).expect("it is short");
}

#[propagate]
async fn matched(ctx: &Ctx) {
    let Ok(told) = ctx.with_baggage(&Caller { user: 7 }) else { return };
}

fn main() {}
