//! The methods of a type and of a trait.

use ctxprop::{Ctx, propagate};

struct Store;

#[propagate]
impl Store {
    async fn load(&self) {
        drop(Ctx::background());
    }

    fn plain(&self, _ctx: &Ctx) {
        drop(Ctx::todo());
    }
}

#[propagate]
trait Loads {
    async fn load(&self) {
        drop(Ctx::background());
    }
}

fn main() {}
