//! mockall copies what stands below `#[automock]` to where no attribute macro may stand: below `#[propagate]` it works.

use ctxprop::propagate;
use mockall::{automock, mock};

#[automock]
#[propagate]
trait Store {
    async fn get(&self, key: &str) -> Option<u32>;
    fn plain(&self) -> u32;
}

#[automock]
#[propagate(boxed)]
trait Boxed {
    async fn fetch(&self, n: u32) -> u32;
}

#[propagate]
trait Written {
    async fn get(&self) -> u32;
}

mock! {
    Both {}

    #[propagate]
    impl Written for Both {
        async fn get(&self) -> u32;
    }
}

fn main() {}
