//! The function handed to something that calls it.

use std::time::Duration;

use ctxprop::propagate;

#[propagate]
async fn mapped(pauses: Vec<Duration>) {
    pauses.into_iter().for_each(std::thread::sleep);
}

#[propagate]
async fn kept() {
    let wait = futures::executor::block_on::<std::future::Ready<()>>;
    wait(std::future::ready(()));
}

fn main() {}
