//! Gives each gRPC call of tonic its [`Ctx`](ctxprop::Ctx).

mod client;
mod server;

pub use client::{CallBody, CallFuture, CtxChannel};
pub use server::{CtxBody, CtxFuture, CtxLayer, CtxService};

use ctxprop::Cancelled;
use tonic::Status;

/// The status for an error of whatever kind: for [`map_err`](Result::map_err) in a handler.
///
/// Where the error tells of the end of a context, as those of `ctxprop-reqwest` do then, that is its code, and
/// `Cancelled::try_from(status)` gives it back; else it is what [`Status::from_error`] makes of it.
///
/// # Examples
///
/// ```
/// use ctxprop::{Cancelled, Cause};
/// use tonic::Code;
///
/// let error = std::io::Error::from(Cancelled::new(Cause::DeadlineExceeded));
/// let status = ctxprop_tonic::status_of(error);
/// assert_eq!(status.code(), Code::DeadlineExceeded);
/// ```
pub fn status_of(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Status {
    let error = error.into();
    match Cancelled::find_in(&*error) {
        Some(cancelled) => cancelled.clone().into(),
        None => Status::from_error(error),
    }
}

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
