//! The trait is `boxed`, and its `impl` is not, or has `#[async_trait]`.

use ctxprop::propagate;

#[propagate(boxed)]
trait Store {
    async fn load(&self, id: u64) -> u64;
}

struct Plain;

#[propagate]
impl Store for Plain {
    async fn load(&self, id: u64) -> u64 {
        id
    }
}

struct Foreign;

#[propagate]
#[async_trait::async_trait]
impl Store for Foreign {
    async fn load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
