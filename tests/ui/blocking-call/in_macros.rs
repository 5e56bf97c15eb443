//! Inside of macros, closures and blocks.

use std::time::Duration;

use ctxprop::propagate;

macro_rules! later {
    (do $call:expr) => {
        $call
    };
}

#[propagate]
async fn known() {
    println!("{:?}", std::thread::sleep(Duration::from_secs(1)));
    tokio::join!(async { std::thread::sleep(Duration::from_secs(1)) });
}

#[propagate]
async fn unknown() {
    later!(do std::thread::sleep(Duration::from_secs(1)));
}

fn main() {}
