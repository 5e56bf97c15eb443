//! The spans that are exported: over real sockets, with the ids that travelled.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "support/common.rs"]
mod common;
#[path = "spans/hops.rs"]
mod hops;
#[path = "spans/ids.rs"]
mod ids;
#[path = "spans/outcomes.rs"]
mod outcomes;
#[path = "spans/parents.rs"]
mod parents;

const WAY: common::Way = common::Way::Tracing;
