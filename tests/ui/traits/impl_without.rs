//! An `impl` without the attribute, of a trait that has it.

use ctxprop::propagate;

#[propagate]
trait Store {
    async fn load(&self, id: u64) -> u64;
}

struct Plain;

impl Store for Plain {
    async fn load(&self, id: u64) -> u64 {
        id
    }
}

#[propagate(boxed)]
trait Boxed {
    async fn load(&self, id: u64) -> u64;
}

impl Boxed for Plain {
    async fn load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
