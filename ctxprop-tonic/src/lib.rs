//! Gives each gRPC call of tonic its [`Ctx`](ctxprop::Ctx).

mod client;
mod server;

pub use client::{CallBody, CallFuture, CtxChannel};
pub use server::{CtxBody, CtxFuture, CtxLayer, CtxService};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The metadata, among a call's trailers, that tells whose deadline a `DEADLINE_EXCEEDED` is about: `caller` or
/// `server`.
pub const DEADLINE_EXCEEDED: http::HeaderName =
    http::HeaderName::from_static("x-deadline-exceeded");

/// The metadata with the trace id, where [`CtxLayer::echo_trace_id`] asks for it.
pub const TRACE_ID: http::HeaderName = http::HeaderName::from_static("x-trace-id");

/// The service and the method that a call is for, of a path such as `/greet.Greeter/SayHello`.
fn names(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.rsplit_once('/').unwrap_or((path, ""))
}
