//! Under a name that the body imported with everything else, and from a module of a module.

use std::time::Duration;

use ctxprop::propagate;

#[propagate]
async fn everything() {
    use std::thread::*;
    sleep(Duration::from_secs(1));
}

#[propagate]
async fn nested() {
    use futures::{self as all, executor};
    executor::block_on(async {});
    all::executor::block_on(async {});
}

fn main() {}
