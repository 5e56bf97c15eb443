//! A small service in plain async Rust, which the tests of `cargo ctxprop migrate` annotate.
//!
//! It has one of each thing that the migration knows, and a few that it must leave as they are.

#![deny(warnings)]

#[cfg(feature = "audit")]
mod audit;
mod clock;
mod greeter;
mod handlers;
mod store;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

pub use clock::{Clock, Fixed, when};
pub use greeter::{Desk, pb};
pub use store::{Memory, Store, load_all, load_blocking};
pub use watch::changes;

pub type Shared = Arc<dyn Store>;

pub fn app(store: Shared) -> Router {
    Router::new()
        .route("/items/{id}", get(handlers::show).put(handlers::replace))
        .route("/items", post(handlers::create))
        .route("/health", get(|| async { "ok" }))
        .layer((from_fn(handlers::count), from_fn(handlers::name)))
        .with_state(store)
}
