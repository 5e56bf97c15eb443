//! `#[automock]` above `#[propagate]` copies it to places where it cannot stand.

use ctxprop::propagate;
use mockall::automock;

#[automock]
#[propagate]
trait Store {
    async fn get(&self, key: &str) -> Option<u32>;
}

fn main() {}
