//! What `#[propagate]` is not for.

use ctxprop::{Ctx, propagate};

#[propagate]
struct Cart;

#[propagate]
enum State {
    Open,
}

#[propagate]
union Either {
    one: u8,
    two: i8,
}

#[propagate]
const LIMIT: u32 = 1;

#[propagate]
static COUNT: u32 = 1;

#[propagate]
type Id = u64;

#[propagate]
use std::fmt::Debug;

#[propagate]
unsafe extern "C" {
    fn abs(n: i32) -> i32;
}

#[propagate]
macro_rules! nothing {
    () => {};
}

#[propagate]
fn no_context(id: u64) -> u64 {
    id
}

#[propagate]
fn opaque() -> impl Future<Output = ()> {
    std::future::ready(())
}

#[propagate(budget = "1s", span, boxed)]
fn not_async(ctx: &Ctx) -> bool {
    ctx.is_done()
}

#[propagate]
extern "C" fn for_another_language(ctx: &Ctx) -> bool {
    ctx.is_done()
}

#[propagate]
async fn two_contexts(one: Ctx, two: &Ctx) {
    drop((one, two.clone()));
}

#[propagate]
async fn changes_it(ctx: &mut Ctx) {
    drop(ctx.clone());
}

#[propagate(skip)]
async fn nothing_around() {}

fn main() {
    let _ = (Cart, State::Open, Either { one: 1 }, LIMIT, COUNT, nothing_around());
    let _: (Id, &dyn Debug) = (1, &1);
    nothing!();
    drop(opaque());
    no_context(1);
}
