//! A statement is no function.

use ctxprop::{Ctx, propagate};

async fn checkout(ctx: Ctx) {
    #[propagate]
    let one = 1;
    drop((ctx, one));
}

fn main() {
    let _ = checkout;
}
