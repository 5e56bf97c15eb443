//! An allow that has nothing to allow in its statement is a warning, where the macro can tell. On a function it may be
//! wider than what it is for.

#![deny(warnings)]

use ctxprop::{Background, Ctx, propagate};

#[propagate(allow(detached_task, bare_client, reason = "there was one"))]
async fn on_a_function() {
    tokio::spawn(async {});
}

#[propagate]
async fn on_a_statement() {
    #[propagate(allow(detached_task, reason = "the statement below"))]
    let root = 1;
    let _ = root;
    // Macros are not looked into for roots.
    #[propagate(allow(detached_context, reason = "who knows"))]
    println!("{root}");
}

fn main() {
    let _ = (on_a_function(), on_a_statement(), Ctx::background());
}
