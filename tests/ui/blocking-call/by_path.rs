//! What blocks the thread, by path and by what the body imports.

use std::time::Duration;

use ctxprop::{Ctx, propagate};

#[propagate]
async fn sleeps() {
    std::thread::sleep(Duration::from_secs(1));
    let later = || ::std::thread::sleep(Duration::from_secs(1));
    use std::thread::sleep as nap;
    nap(Duration::from_secs(1));
    later();
    futures::executor::block_on(async {});
    [async {}].map(futures::executor::block_on);
}

#[propagate]
fn plain(ctx: &Ctx) {
    let _ = ctx;
    println!("{:?}", std::thread::sleep(Duration::from_secs(1)));
}

fn main() {}
