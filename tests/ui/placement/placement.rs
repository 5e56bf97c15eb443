//! What `#[propagate]` is not for.

use ctxprop::{Ctx, propagate};

#[propagate]
struct Cart;

#[propagate]
enum State {
    Open,
}

#[propagate]
impl Cart {
    async fn load() {}
}

#[propagate]
trait Store {}

#[propagate]
mod handlers {}

#[propagate]
const LIMIT: u32 = 1;

#[propagate]
fn no_context(id: u64) -> u64 {
    id
}

#[propagate(budget = "1s")]
fn not_async(ctx: &Ctx) -> bool {
    ctx.is_done()
}

#[propagate]
async fn two_contexts(one: Ctx, two: &Ctx) {
    drop((one, two.clone()));
}

fn main() {
    let _ = (Cart, State::Open, LIMIT, Cart::load());
    no_context(1);
}
