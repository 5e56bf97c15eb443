//! A root where the trait `Background` is not imported, as in most files.

use ctxprop::{Ctx, propagate};

mod prelude {
    pub type Request = ctxprop::Ctx;
}

#[propagate]
async fn load_cart(id: u64) -> u64 {
    let ctx = Ctx::background();
    drop(ctx);
    id
}

#[propagate]
async fn aliased() {
    drop(prelude::Request::todo());
}

#[propagate]
async fn through_a_method() -> bool {
    Ctx::background().with_value(1).is_done()
}

#[propagate]
fn plain(_ctx: &Ctx) {
    drop(Ctx::background());
}

fn main() {
    let _ = (load_cart(1), aliased(), through_a_method());
}
