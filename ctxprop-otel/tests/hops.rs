//! Hops that are recorded directly: all that holds of the spans of `tracing` holds of them, and they are the same spans.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(deprecated, reason = "opentelemetry-zipkin is, and has the only B3 there is")]

#[path = "hops/calls.rs"]
mod calls;
#[path = "support/common.rs"]
mod common;
#[path = "hops/inside.rs"]
mod inside;
#[path = "support/propagators.rs"]
mod propagators;
#[path = "hops/requests.rs"]
mod requests;
#[path = "hops/row.rs"]
mod row;

// Beside `layer`, which exports the other spans: the suites of those once more.
#[path = "spans/hops.rs"]
mod hops;
#[path = "grpc/house.rs"]
mod house;
#[path = "spans/ids.rs"]
mod ids;
#[path = "spans/outcomes.rs"]
mod outcomes;
#[path = "spans/parents.rs"]
mod parents;

const WAY: common::Way = common::Way::Both;
