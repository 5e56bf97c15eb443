//! A root inside of macros that are looked into.

use ctxprop::{Ctx, propagate};

#[propagate]
async fn printed() -> String {
    println!("{:?}", Ctx::background());
    format!("{:?}", vec![Ctx::todo()])
}

#[propagate]
async fn joined() {
    tokio::join!(async { drop(Ctx::background()) });
}

fn main() {
    let _ = (printed(), joined());
}
