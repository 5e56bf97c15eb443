//! Gives each request of an axum service its context, a [`Ctx`]: how long the caller will wait, whether it is still there,
//! who it is (its *baggage*), and where in the trace we stand. The context is read from the headers of the request, and
//! lasts until the last byte of the response.
//!
//! One layer does it. [`CtxLayer::edge`] is for a service that strangers call, [`CtxLayer::mesh`] for one that only your own
//! services call. There is no default, because only you know who calls.
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
//! A `#[propagate]` function that does not have its context as a parameter becomes a handler through [`handler`], or where it is routed by
//! [`routing`]. A handler that
//! can fail in many ways returns [`Failure`], which takes all errors, and answers 504 where the time was up.
//!
//! # Serving, and shutdown
//!
//! Any server of axum's will do. [`serve`](fn@serve) is one that ends in an orderly way and names what did not end. It also
//! sees what others do not: a client that left while its request body is unread, a client that reads nothing, and the end of
//! an upgraded connection.
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
//! The *budget* is the time that is left until the deadline. To *unwind* means to leave a function by its errors: when the
//! context has ended, each `.await` of a `#[propagate]` function gives one, so that the code gets to clean up. A *shield* lets
//! such cleanup finish. The *root* is the context that those of all requests come from.
//!
//! | when | then |
//! | --- | --- |
//! | its budget is zero, or less than `min_budget` | 504, the handler never runs |
//! | the deadline passes in the handler | the handler unwinds; 504 unless it answers something else |
//! | it waits for the service inside, in a queue or for a permit | that is part of its budget: 504 at the deadline |
//! | the deadline passes in the response body | the body is dropped within some milliseconds, read or not; who reads it gets an error, and the connection closes |
//! | the client goes away | the context ends with [`Cause::Disconnected`](ctxprop::Cause), the handler unwinds at once, and its shields complete in a task; [`Cause::DeadlineExceeded`](ctxprop::Cause) where less than a millisecond was left |
//! | the handler panics | the context ends, wherever the panic is caught |
//! | the connection is upgraded (101) | the context lasts until the connection is dropped, its deadline passes or its root ends. Only [`serve`](fn@serve) sees the connection go: under another server it lasts while somebody holds it |
//! | the root is cancelled with [`Cause::Shutdown`](ctxprop::Cause) | the handler unwinds; 503 |
//! | the response body was sent, or dropped | the context ends with [`Cause::Finished`](ctxprop::Cause), and what was spawned under it too |
//!
//! A 504 because of a deadline says whose it was: `x-deadline-exceeded: caller` where the caller's budget ran out,
//! `x-deadline-exceeded: server` where this service's own did, or one that it had set itself for a part of the work.
//! No other response has this header: one that a handler sets, or passes on from another service, is removed.
//!
//! The service of this layer is always ready, because waiting is a part of each request. So a layer that turns requests away
//! when the service inside is not ready, such as tower's `LoadShed`, goes inside of this one.
//!
//! # A layer inside a layer, and middleware
//!
//! A [`CtxLayer`] under another one makes a child of the context that is there. The budget of the child can only be shorter,
//! and what the outer layer did not believe stays unknown. Middleware makes a context of its own by running the rest under it:
//! `ctx.with_value(locale).scope(next.run(request)).await`. The handler's `ctx: Ctx` is then that one.
//!
//! # What is logged
//!
//! All of target `ctxprop`. A request under two layers is told by the outer one.
//! `parent_id` is the `span_id` of the span that it lies below, here and in the services before: a trace can be drawn from its log
//! lines. [`#[propagate(span)]`](macro@ctxprop::propagate#the-span-of-a-function) adds a span for a function.
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
//! | warn | tasks did not end: once for each reason and place | `reason`, `spawned_at`, `tasks`, the `trace_id` of one |
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
//! None is on by default. `http2` has [`serve`](fn@serve) speak HTTP/2 with whoever begins to, as the feature of axum with
//! this name does with `axum::serve`; a program that leaves it off is 0.9 MB smaller. `metrics` counts. `anyhow` has
//! [`Failure`] look into errors of that crate.
//!
//! # Clients that leave
//!
//! Over HTTP/1 a server learns that the client left only while it reads from the connection. hyper reads while a handler runs
//! whose request body has been read. [`serve`](fn@serve) looks in all other cases. There is one that nobody can see: a client
//! that leaves after it has sent more of a body than both kernels keep for a handler that does not read.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod extract;
mod failure;
mod future;
pub mod guide;
mod handler;
mod layer;
mod request;
pub mod routing;
mod serve;
mod service;

pub use body::CtxBody;
pub use ctxprop::{Ctx, MissingLayer};
pub use ctxprop_server::Call;
pub use extract::{Baggage, BaggageRejection};
pub use failure::Failure;
pub use future::CtxFuture;
/// The name that [`handler`] has in the design.
#[doc(hidden)]
pub use handler::handler as threaded;
pub use handler::{CtxHandler, NeedsCtxFn, handler};
pub use layer::CtxLayer;
pub use serve::{Drained, Serve, Straggler, serve};
pub use service::CtxService;

/// The response header that tells whose deadline a 504 is about: `caller` or `server`.
pub const DEADLINE_EXCEEDED: http::HeaderName =
    http::HeaderName::from_static("x-deadline-exceeded");

/// The response header with the trace id, where [`CtxLayer::echo_trace_id`] asks for it.
pub const TRACE_ID: http::HeaderName = http::HeaderName::from_static("x-trace-id");

/// The example of the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
