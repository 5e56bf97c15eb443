//! Gives each request of an axum service its [`Ctx`]: deadline, cancellation, trace and baggage, from its
//! headers to the last byte of its response.
//!
//! One layer does it. [`CtxLayer::edge`] faces strangers, [`CtxLayer::mesh`] faces peers; there is no default,
//! because only you know which of them calls.
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::Router;
//! use axum::routing::get;
//! use ctxprop::{Cancelled, Ctx, propagate};
//! use ctxprop_axum::CtxLayer;
//!
//! #[propagate]
//! async fn time_left(ctx: Ctx) -> Result<String, Cancelled> {
//!     Ok(format!("{:?} left, trace {}", ctx.remaining(), ctx.span().trace_id()))
//! }
//!
//! let app: Router = Router::new()
//!     .route("/", get(time_left))
//!     .layer(CtxLayer::edge().default_budget(Duration::from_secs(10)));
//! # drop(app);
//! ```
//!
//! # In handlers
//!
//! | argument | is |
//! | --- | --- |
//! | `ctx: Ctx` | the context of the request; 500 ([`MissingLayer`]) where no layer made one, or `Option<Ctx>` |
//! | `Baggage(caller): Baggage<Caller>` | the baggage as a type: [`Baggage`] |
//!
//! A `#[propagate]` function that does not name its context is a handler through [`threaded`].
//!
//! # Shutdown
//!
//! ```no_run
//! # use axum::Router;
//! # use ctxprop::{Background, Cause, Ctx};
//! # use ctxprop_axum::CtxLayer;
//! # async fn serve(app: Router, listener: tokio::net::TcpListener, signal: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
//! let (root, canceller) = Ctx::background().with_cancel();
//! let app = app.layer(CtxLayer::edge().under(&root));
//! axum::serve(listener, app)
//!     .with_graceful_shutdown(async move {
//!         signal.await;
//!         canceller.cancel_with(Cause::Shutdown); // all requests unwind
//!     })
//!     .await?;
//! root.idle().await; // and what was spawned, detached or shielded is done
//! # Ok(())
//! # }
//! ```
//!
//! # What becomes of a request
//!
//! | when | then |
//! | --- | --- |
//! | its budget is zero, or less than `min_budget` | 504, the handler never runs |
//! | the deadline passes in the handler | the handler unwinds; 504 unless it answers something else |
//! | the deadline passes in the response body | the body ends with an error, the connection closes |
//! | the client goes away | the context ends with [`Cause::Disconnected`](ctxprop::Cause), the handler unwinds in a task of its own, and its shields complete |
//! | the root is cancelled with [`Cause::Shutdown`](ctxprop::Cause) | the handler unwinds; 503 |
//! | the response body was sent, or dropped | the context ends with [`Cause::Finished`](ctxprop::Cause), and what was spawned under it too |
//!
//! A 504 because of a deadline says whose it was: `x-deadline-exceeded: caller` where the caller's budget ran out,
//! `x-deadline-exceeded: server` where this service's own did, or one that it had set itself for a part of the work.
//! No other response has this header: one that a handler sets, or passes on from another service, is removed.
//!
//! HTTP/1 tells a server that the client left only while it reads from the connection: hyper does so while a
//! handler runs and its request body has been read.

mod body;
mod extract;
mod future;
mod layer;
mod policy;
mod ready;
mod request;
mod service;
mod threaded;
mod watch;

pub use body::CtxBody;
pub use ctxprop::{Ctx, MissingLayer};
pub use extract::{Baggage, BaggageRejection};
pub use future::CtxFuture;
pub use layer::CtxLayer;
pub use ready::Call;
pub use service::CtxService;
pub use threaded::{Threadable, Threaded, threaded};

/// The response header that tells whose deadline a 504 is about: `caller` or `server`.
pub const DEADLINE_EXCEEDED: http::HeaderName =
    http::HeaderName::from_static("x-deadline-exceeded");

/// The response header with the trace id, where [`CtxLayer::echo_trace_id`] asks for it.
pub const TRACE_ID: http::HeaderName = http::HeaderName::from_static("x-trace-id");
