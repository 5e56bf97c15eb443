//! The `impl` is `boxed`, and its trait has no attribute, or has `#[async_trait]`.

use ctxprop::propagate;

#[async_trait::async_trait]
trait Store {
    async fn load(&self, id: u64) -> u64;
}

struct Ours;

#[propagate(boxed)]
impl Store for Ours {
    async fn load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
