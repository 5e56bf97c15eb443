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
    use std::*;
    thread::sleep(Duration::from_secs(1));
}

#[propagate]
async fn renamed() {
    use std::{self as all, thread as threads};
    threads::sleep(Duration::from_secs(1));
    all::thread::sleep(Duration::from_secs(1));
}

fn main() {}
