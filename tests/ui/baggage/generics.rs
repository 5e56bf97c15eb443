//! What a type parameter has to be is known where the struct is used, or said where it is derived.

use std::marker::PhantomData;

use ctxprop::{Baggage, Ctx};

#[derive(Baggage)]
struct Tagged<T> {
    tag: T,
}

struct Money;

#[derive(Baggage)]
struct Nested<T> {
    tag: Id<T>,
}

struct Id<T>(PhantomData<T>);

fn read(ctx: &Ctx) {
    let _ = ctx.baggage::<Tagged<u64>>();
    let _ = ctx.baggage::<Tagged<Money>>();
}

fn main() {
    let _ = |ctx: &Ctx| read(ctx);
}
