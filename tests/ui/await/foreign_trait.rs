//! An `impl` of a trait that has no `#[propagate]`.

use ctxprop::propagate;

trait Store {
    async fn get(&self) -> u32;
    async fn left_out(&self) -> u32;
}

struct Memory;

#[propagate]
impl Store for Memory {
    async fn get(&self) -> u32 {
        1
    }

    #[propagate(skip)]
    async fn left_out(&self) -> u32 {
        2
    }
}

fn main() {
    let _ = (Memory.get(), Memory.left_out());
}
