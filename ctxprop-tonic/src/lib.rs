//! Gives each gRPC call of tonic its [`Ctx`]: deadline, cancellation, trace and baggage, from its
//! headers to its trailers, in both directions.
//!
//! A server has one layer. [`CtxLayer::edge`] faces strangers, [`CtxLayer::mesh`] faces peers; there is no default,
//! because only you know which of them calls. A client has one channel, [`CtxChannel`], in place of tonic's own. What
//! `tonic-prost-build` generates is used as it is.
//!
//! ```
//! # #[cfg(feature = "channel")] {
//! use std::time::Duration;
//!
//! use ctxprop::propagate;
//! use ctxprop_grpc_probe::{Answer, Answers, Ask, Probe, ProbeClient, ProbeServer};
//! use ctxprop_tonic::{CtxChannel, CtxLayer};
//! use tonic::transport::{Endpoint, Server};
//! use tonic::{Request, Response, Status, Streaming};
//!
//! /// A service that asks another one.
//! struct Desk {
//!     warehouse: ProbeClient<CtxChannel>,
//! }
//!
//! // The trait is generated, and knows nothing of contexts: its methods run under that of the call.
//! #[propagate]
//! #[tonic::async_trait]
//! impl Probe for Desk {
//!     # type CountStream = Answers;
//!     # type TalkStream = Answers;
//!     async fn unary(&self, request: Request<Ask>) -> Result<Response<Answer>, Status> {
//!         // What remains of the budget goes along, and the call ends with ours.
//!         self.warehouse.clone().unary(request.into_inner()).await
//!     }
//!     # async fn count(&self, _: Request<Ask>) -> Result<Response<Answers>, Status> { Err(Status::unimplemented("")) }
//!     # async fn sum(&self, _: Request<Streaming<Ask>>) -> Result<Response<Answer>, Status> { Err(Status::unimplemented("")) }
//!     # async fn talk(&self, _: Request<Streaming<Ask>>) -> Result<Response<Answers>, Status> { Err(Status::unimplemented("")) }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let warehouse = CtxChannel::lazy(Endpoint::from_static("http://warehouse:50051"));
//! let server = Server::builder()
//!     .layer(CtxLayer::mesh().max_budget(Duration::from_secs(30)))
//!     .add_service(ProbeServer::new(Desk { warehouse: ProbeClient::new(warehouse) }));
//! # drop(server);
//! # });
//! # }
//! ```
//!
//! # In handlers
//!
//! [`Ctx::current`] is the context of the call, and so is the `Ctx` in the extensions of the request, for what runs
//! elsewhere. On an `impl` of a generated trait `#[propagate]` stands above `#[tonic::async_trait]`: its methods stay what the
//! trait asks for, and run under that context.
//!
//! [`Status`] can say [`Cancelled`]: `#[propagate]` functions that return `Result<_, Status>` unwind.
//! `Cancelled::try_from(status)` gives the end of the context back, of this process with its very cause, of a peer by
//! its code. [`status_of`] makes a status of other errors, and keeps the end of a context that they tell of.
//!
//! # What becomes of a call at the server
//!
//! | when | then |
//! | --- | --- |
//! | `grpc-timeout` is not one line of at most eight digits and a unit | `INVALID_ARGUMENT`, the handler never runs |
//! | its budget is zero, or less than `min_budget` | `DEADLINE_EXCEEDED`, the handler never runs |
//! | the deadline passes in the handler | the handler unwinds; `DEADLINE_EXCEEDED` unless it answers something else |
//! | the time is over that the caller named, and a shield is still at work | `DEADLINE_EXCEEDED` at once; the shield completes in a task of the root's |
//! | the deadline passes in the answer, or in a stream of answers | it is dropped, and its trailers say `DEADLINE_EXCEEDED`; where nobody reads it, within some milliseconds |
//! | the context ends while a stream of the caller's is read | reading it fails with the status of that end, whoever reads it |
//! | the caller goes away | the context ends with [`Cause::Disconnected`](ctxprop::Cause), the handler unwinds at once, and its shields complete in a task; [`Cause::DeadlineExceeded`](ctxprop::Cause) where less than a millisecond was left |
//! | the caller goes away in the middle of its stream | reading it fails with `ABORTED`: without the layer tonic ends it as if it were whole |
//! | the handler panics | the context ends, and the stream is reset |
//! | the root is cancelled with [`Cause::Shutdown`](ctxprop::Cause) | the handler unwinds; `UNAVAILABLE`, in streams as well |
//! | its trailers were sent | the context ends with [`Cause::Finished`](ctxprop::Cause), and what was spawned under it too |
//!
//! A `DEADLINE_EXCEEDED` says whose it was, as metadata of the trailers: `x-deadline-exceeded: caller` where the
//! caller's budget ran out, `x-deadline-exceeded: server` where this service's own did, or one that it had set itself for
//! a part of the work. No other status has it: one that a handler passes on from another service is removed.
//!
//! A [`CtxLayer`] under another one, of this crate or of `ctxprop-axum`, makes a child of the context that is there: its
//! budget can only be shorter, and what the outer one did not believe stays unknown. What is no gRPC needs no such
//! layer, and would be refused in gRPC's words; a layer that translates, as that of `tonic-web`, goes outside.
//!
//! tonic's own `Server::timeout` answers `CANCELLED`, and does not bound streams: [`CtxLayer::max_budget`] does.
//!
//! # What becomes of a call at the client
//!
//! | when | then |
//! | --- | --- |
//! | no context is current | `FAILED_PRECONDITION`, unless [`CtxChannel::allow_detached`] |
//! | the context has ended, or less than 1 ms is left | the status of that end; nothing is sent |
//! | it is sent | a span of its own below the context's, what remains of the budget, and baggage for peers; a `tracing` span `send` |
//! | it has a timeout of its own (`Request::set_timeout`) | the shorter one counts, in streams as well |
//! | the context ends | the status of that end at once, in streams of answers as well; the stream is reset |
//! | the call, or the stream of its answers, is dropped | the stream is reset |
//! | the timeout of the endpoint passes | `DEADLINE_EXCEEDED`; tonic says `CANCELLED` |
//! | the peer's status | is passed on; without its details where they are no bytes, of which tonic would panic |
//!
//! # What the peer is told
//!
//! Trace and budget go to every peer, unless [`omit_trace`](CtxChannel::omit_trace) or
//! [`omit_budget`](CtxChannel::omit_budget). The budget is in `grpc-timeout`, rounded down, in the finest unit that fits.
//! Baggage names people, so it goes where [`ctxprop::trust`] says, by the host of the endpoint.
//!
//! | metadata set by hand | then |
//! | --- | --- |
//! | `grpc-timeout` | it is the call's own timeout; one that is malformed fails the call |
//! | `traceparent`, `tracestate`, and all others that tell a budget ([`HEADERS`](ctxprop::wire::HEADERS)) | the context's takes its place; where it has none, it is removed |
//! | `baggage`, to a peer | it is sent, in place of the context's |
//! | `baggage`, to an allowed host | the same, without what is private in it |
//! | `baggage`, to anyone else | it is removed |
//!
//! # What is logged
//!
//! All of target `ctxprop`. A call under two layers is told by the outer one.
//!
//! | level | what | fields |
//! | --- | --- | --- |
//! | info, a span | `call` | `service`, `method`, `trace_id`, `span_id`, `parent_id`, `budget`; at its end `status`, `cause` |
//! | info, a span | `send`, at the client | `service`, `method`, `host`, `port`, `trace_id`, `span_id`, `parent_id`; `status` |
//! | info | a call is over | `service`, `method`, `status`, `cause`, `deadline` (`caller` or `server`, where one passed), `spent`, `left`, `trace_id` |
//! | warn | a call was cut short | the same |
//! | warn | a call was refused | the same |
//! | warn | a call's handler panicked | the same |
//!
//! # What is counted
//!
//! With the feature `metrics`, by the crate of that name, for whichever recorder the application has. The names are those
//! of `ctxprop-axum` and `ctxprop-reqwest`: a call of gRPC is a request like any other.
//!
//! | name | is | labels |
//! | --- | --- | --- |
//! | `ctxprop_budgets_received_total` | calls that came with a budget | |
//! | `ctxprop_cancelled_by_deadline_total` | calls that a deadline cut short | `deadline`: `caller` or `server`, whose it was |
//! | `ctxprop_requests_total` | calls that are over | `cause`: `finished`, `deadline`, `disconnected`, `shutdown`, `cancelled` or `custom` |
//! | `ctxprop_time_left_seconds` | a histogram of what was left of the budget at the end of a call that had one | |
//! | `ctxprop_live_requests` | calls that are not over, as a gauge | |
//! | `ctxprop_live_tasks` | tasks of the root, as a gauge: how many there were when the last call came or ended | |
//! | `ctxprop_client_timeouts_shortened_by_deadline_total` | calls made whose own timeout was longer than what the context had left | |
//! | `ctxprop_client_cancelled_by_deadline_total` | calls made that were given up at the deadline of their context, or not sent because of it | |
//!
//! # Limits
//!
//! What is sent, once the head of the answer has come, and waits for the peer to read, is reset only when the peer reads
//! or goes: the transport asks for no more of it before. In the same way trailers wait for a peer that reads nothing;
//! the handler's stream is dropped all the same.
//!
//! # Features
//!
//! `channel`, on by default, has [`CtxChannel`] connect with tonic's own `Endpoint`. Without it, it takes any client service.
//! `metrics` counts.
//!
//! [`Ctx`]: ctxprop::Ctx
//! [`Ctx::current`]: ctxprop::Ctx::current

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod end;
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

const GRPC_TIMEOUT: http::HeaderName = http::HeaderName::from_static("grpc-timeout");

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
