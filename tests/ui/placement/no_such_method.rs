//! A method that the trait does not have is shown at the method.

use ctxprop::{Cancelled, propagate};

#[propagate]
trait Store {
    async fn get(&self, id: u64) -> Result<u64, Cancelled>;
}

struct Memory;

#[propagate]
impl Store for Memory {
    async fn get(&self, id: u64) -> Result<u64, Cancelled> {
        Ok(id)
    }

    async fn put(&self, id: u64) {
        drop(id);
    }
}

fn main() {}
