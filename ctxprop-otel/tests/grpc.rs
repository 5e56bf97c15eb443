//! Calls of gRPC as they are exported, over real sockets.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![allow(deprecated, reason = "opentelemetry-zipkin is, and has the only B3 there is")]

#[path = "support/common.rs"]
mod common;
#[path = "grpc/house.rs"]
mod house;
#[path = "support/propagators.rs"]
mod propagators;

const WAY: common::Way = common::Way::Tracing;
