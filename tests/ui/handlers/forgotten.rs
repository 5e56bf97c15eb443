//! A function that does not name its context is a handler through `handler` only, and only it.

use axum::extract::Path;
use axum::{Router, routing::get};
use ctxprop::propagate;
use ctxprop_axum::handler;

#[propagate]
async fn cart(Path(id): Path<u64>) -> String {
    id.to_string()
}

async fn plain(Path(id): Path<u64>) -> String {
    id.to_string()
}

fn main() {
    let _: Router = Router::new().route("/{id}", get(cart));
    let _ = handler(plain);
}
