//! In a closure, in an async block, in a macro, as a value, behind a cast: a name is a name.

use ctxprop::{Ctx, propagate};

macro_rules! run {
    (do $call:expr) => {
        $call
    };
}

#[propagate]
async fn checkout(ctx: Ctx) {
    let later = || tokio::spawn(async {});
    let block = async { tokio::spawn(load_cart(1)).await };
    let list = vec![tokio::spawn(async {})];
    let value = [async {}].map(tokio::spawn);
    let parsed = tokio::join!(tokio::spawn(async {}));
    let unparsed = run!(do tokio::spawn(async {}));
    run!(do drop(::tokio::task::spawn(async {})));
    let _ = (ctx, later, block, list, value, parsed, unparsed);
}

#[propagate]
async fn load_cart(id: u64) -> u64 {
    id
}

#[propagate]
fn plain(ctx: &Ctx) {
    let _ = ctx;
    std::thread::spawn(|| ());
}

fn main() {}
