//! gRPC with peers that nobody here wrote: Python's `grpcio` on either side, and its `h2`, which says what no gRPC
//! library would.
//!
//! `tests/interop/setup` gets them. Without them these tests are skipped, and say so.
#![allow(clippy::expect_used, reason = "it is a test")]

mod grpc_peers {
    mod client;
    mod python;
    mod raw;
    mod server;
    mod target;
}
