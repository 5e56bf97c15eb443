//! Every shape of function that `#[propagate]` takes, compiled and run. The crate `edition-2021` runs the same
//! files in that edition.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod arguments;
mod attributes;
mod blocks;
mod boxed_static;
mod containers;
mod control_flow;
mod drops;
mod escapes;
mod foreign_macros;
mod forms;
mod generated;
mod impl_arguments;
mod local;
mod macros;
mod methods;
mod returns;
mod send;
mod signals;
mod spans;
mod traits;
mod transactions;

use std::io;

use ctxprop::{Background, Ctx, propagate};

type AppResult<T, E = io::Error> = Result<T, E>;

/// A root with a value that shows whether it got somewhere.
fn ctx() -> Ctx {
    Ctx::background().with_value(Marker("conveyed"))
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Marker(&'static str);

/// What proves that the context got here.
fn here() -> &'static str {
    Ctx::current().value::<Marker>().map_or("lost", |marker| marker.0)
}

#[propagate]
async fn marked() -> &'static str {
    tokio::task::yield_now().await;
    here()
}

#[propagate]
async fn add_one(n: u32) -> AppResult<u32> {
    assert_eq!(marked().await, "conveyed");
    Ok(n + 1)
}

#[propagate]
async fn unit() {
    marked().await;
}
