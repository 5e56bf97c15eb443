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
//! The [guide] has pages on how to adopt this in an existing service, the order of layers, streams and WebSockets, shutdown,
//! and work that many requests share.
//!
//! # In handlers
//!
//! | argument | is |
//! | --- | --- |
//! | `ctx: Ctx` | the context of the request; 500 ([`MissingLayer`]) where no layer made one, or `Option<Ctx>` |
//! | `Baggage(caller): Baggage<Caller>` | the baggage as a type: [`Baggage`] |
//!
//! A `#[propagate]` function that does not name its context is a handler through [`threaded`]. One that fails in many ways
//! returns [`Failure`], which takes all errors, and answers 504 where the time was up.
//!
//! # Serving, and shutdown
//!
//! Any server of axum's will do. [`serve`](fn@serve) is one that ends in an orderly way, names what does not, and sees
//! what others do not: a client that left while its request body is unread, one that reads nothing, and the end of an upgraded
//! connection.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use axum::Router;
//! # use ctxprop_axum::CtxLayer;
//! # async fn run(app: Router, listener: tokio::net::TcpListener, sigterm: impl Future<Output = ()> + Send + 'static) {
//! let app = app.layer(CtxLayer::edge().default_budget(Duration::from_secs(10)));
//! let drained = ctxprop_axum::serve(listener, app)
//!     .with_graceful_shutdown(sigterm)
//!     .drain(Duration::from_secs(15)) // then all requests unwind
//!     .await; // and what was spawned, detached or shielded is done
//! # drop(drained);
//! # }
//! ```
//!
//! # What becomes of a request
//!
//! | when | then |
//! | --- | --- |
//! | its budget is zero, or less than `min_budget` | 504, the handler never runs |
//! | the deadline passes in the handler | the handler unwinds; 504 unless it answers something else |
//! | it waits for the service inside, in a queue or for a permit | that is part of its budget: 504 at the deadline |
//! | the deadline passes in the response body | the body is dropped within some milliseconds, read or not; who reads it gets an error, and the connection closes |
//! | the client goes away | the context ends with [`Cause::Disconnected`](ctxprop::Cause), the handler unwinds in a task of its own, and its shields complete; [`Cause::DeadlineExceeded`](ctxprop::Cause) where less than a millisecond was left |
//! | the handler panics | the context ends, wherever the panic is caught |
//! | the connection is upgraded (101) | the context lasts until the connection is dropped, its deadline passes or its root ends. Only [`serve`](fn@serve) sees the connection go: under another server it lasts while somebody holds it |
//! | the root is cancelled with [`Cause::Shutdown`](ctxprop::Cause) | the handler unwinds; 503 |
//! | the response body was sent, or dropped | the context ends with [`Cause::Finished`](ctxprop::Cause), and what was spawned under it too |
//!
//! A 504 because of a deadline says whose it was: `x-deadline-exceeded: caller` where the caller's budget ran out,
//! `x-deadline-exceeded: server` where this service's own did, or one that it had set itself for a part of the work.
//! No other response has this header: one that a handler sets, or passes on from another service, is removed.
//!
//! The service is always ready, since waiting is part of each request. So what turns requests away because the service
//! inside is not ready, such as tower's `LoadShed`, goes inside of the layer.
//!
//! # A layer inside a layer, and middleware
//!
//! A [`CtxLayer`] under another one makes a child of the context that is there: its budget can only be shorter, and
//! what the outer one did not believe stays unknown. Middleware derives a context by running the rest under it,
//! `ctx.with_value(locale).scope(next.run(request)).await`; the handler's `ctx: Ctx` is then that one.
//!
//! # What is logged
//!
//! All of target `ctxprop`. A request under two layers is told by the outer one.
//!
//! | level | what | fields |
//! | --- | --- | --- |
//! | info, a span | `request` | `method`, `route`, `scheme`, `path`, `trace_id`, `span_id`, `parent_id`, `budget`; at its end `status`, `cause` |
//! | info | a request is over | `method`, `route`, `status`, `cause`, `deadline` (`caller` or `server`, where one passed), `spent`, `left`, `trace_id` |
//! | info | a request's connection was upgraded: under another server than [`serve`](fn@serve) | the same |
//! | info | a session is over: what its connection was upgraded to | the same |
//! | warn | a session was cut short | the same |
//! | warn | a request was cut short | the same |
//! | warn | a request was refused | the same |
//! | warn | a request's handler panicked | the same |
//! | error | a handler failed: [`Failure`] became a response with status 500 | `error` |
//!
//! Of target `ctxprop::serve`:
//!
//! | level | what | fields |
//! | --- | --- | --- |
//! | info | the server takes no more requests | `connections` |
//! | warn | a request did not end | `method`, `route`, `cause`, `age`, `trace_id` |
//! | warn | tasks did not end | `tasks` |
//! | info | the server has ended | `spent`, and how many requests and tasks had to be told: `cut`, `tasks` |
//! | debug | a connection broke | `error` |
//!
//! # What is counted
//!
//! With the feature `metrics`, by the crate of that name, for whichever recorder the application has.
//!
//! | name | is | labels |
//! | --- | --- | --- |
//! | `ctxprop_budgets_received_total` | requests that came with a budget | |
//! | `ctxprop_cancelled_by_deadline_total` | requests that a deadline cut short | `deadline`: `caller` or `server`, whose it was |
//! | `ctxprop_requests_total` | requests that are over | `cause`: `finished`, `deadline`, `disconnected`, `shutdown`, `cancelled` or `custom` |
//! | `ctxprop_time_left_seconds` | a histogram of what was left of the budget at the end of a request that had one | |
//! | `ctxprop_live_requests` | requests that are not over, as a gauge | |
//! | `ctxprop_live_tasks` | tasks of the root, as a gauge: how many there were when the last request came or ended | |
//!
//! # Features
//!
//! `http2` (default) has [`serve`](fn@serve) speak HTTP/2 with whoever begins to. `metrics` counts. `anyhow` has
//! [`Failure`] look into errors of that crate.
//!
//! # Clients that leave
//!
//! HTTP/1 tells a server that the client left only while it reads from the connection. hyper does so while a
//! handler runs and its request body has been read; [`serve`](fn@serve) looks in all other cases. What nobody can see is an
//! end that comes behind more of the body than both kernels keep for a handler that does not read.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod extract;
mod failure;
mod future;
pub mod guide;
mod layer;
mod request;
mod serve;
mod service;
mod threaded;

pub use body::CtxBody;
pub use ctxprop::{Ctx, MissingLayer};
pub use ctxprop_server::Call;
pub use extract::{Baggage, BaggageRejection};
pub use failure::Failure;
pub use future::CtxFuture;
pub use layer::CtxLayer;
pub use serve::{Drained, Serve, Straggler, serve};
pub use service::CtxService;
pub use threaded::{Threadable, Threaded, threaded};

/// The response header that tells whose deadline a 504 is about: `caller` or `server`.
pub const DEADLINE_EXCEEDED: http::HeaderName =
    http::HeaderName::from_static("x-deadline-exceeded");

/// The response header with the trace id, where [`CtxLayer::echo_trace_id`] asks for it.
pub const TRACE_ID: http::HeaderName = http::HeaderName::from_static("x-trace-id");

/// The example of the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
