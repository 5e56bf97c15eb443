//! axum's `debug_handler` on a function that does not name its context.

use axum::extract::Path;
use ctxprop::propagate;

#[axum::debug_handler]
#[propagate]
async fn above(Path(id): Path<u64>) -> String {
    id.to_string()
}

#[propagate]
#[axum::debug_handler]
async fn below(Path(id): Path<u64>) -> String {
    id.to_string()
}

fn main() {}
