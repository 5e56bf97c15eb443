//! reqwest's client with the context, a [`Ctx`], of the request that it works for. Each request that it sends tells the next
//! service where in the trace we stand and how much time is left, and your own services also who asks, which is called
//! *baggage*. It takes no longer than the caller will wait, and ends when the caller does.
//!
//! The names are reqwest's. One thing differs: [`send`](RequestBuilder::send) cannot be awaited without a context. In a
//! `#[propagate]` function it gets that of the function. Elsewhere write `.send().with(&ctx).await`.
//!
//! ```
//! # use ctxprop_reqwest as _;
//! # #[cfg(feature = "json")] {
//! use ctxprop::propagate;
//! use ctxprop_reqwest::{Client, Error};
//!
//! #[propagate]
//! async fn stock(client: &Client, article: u32) -> Result<u32, Error> {
//!     let answer = client.get(format!("http://stock/articles/{article}")).send().await?;
//!     Ok(answer.error_for_status()?.json().await?)
//! }
//! # }
//! ```
//!
//! # What becomes of a request
//!
//! A *hop* is one request on the wire: a redirect and a retry each make another one. A *peer* is a service of your own, in your
//! *mesh*. The *budget* is the time that is left.
//!
//! | when | then |
//! | --- | --- |
//! | the context has ended, or less than 1 ms is left | [`Error::Cancelled`]; no connection is opened |
//! | it is sent | a span of its own below the context's, what remains of the budget, and baggage for peers; a `tracing` span `send` with the ids, method, scheme, host, port, path and status, or `failed` |
//! | the context ends | [`Error::Cancelled`] at once; the connection closes, over HTTP/2 the stream |
//! | the context ends while the response's body is read | reading it fails with [`Error::Cancelled`], wherever that is |
//! | its own, shorter timeout passes | reqwest's timeout error, as without us |
//! | the answer is 504 with `x-deadline-exceeded: caller` | [`Error::Cancelled`]: it was our budget that ran out there |
//! | the answer is any other 504 | a response |
//! | the answer is a redirect | one more hop, with headers of its own: see [`redirect`] |
//! | it fails, and [`retry`](RequestBuilder::retry) was asked for | another attempt, if the budget lasts |
//!
//! # What the next hop is told
//!
//! Trace and budget go to every host, unless [`omit_trace_to`](ClientBuilder::omit_trace_to) or
//! [`omit_budget_to`](ClientBuilder::omit_budget_to) names it. The budget is what remains of the
//! context's, or of the request's own timeout where that is shorter. Baggage names people, so it goes to
//! peers only: see [`ctxprop::trust`] for who they are, and
//! [`allow_baggage_to`](ClientBuilder::allow_baggage_to) for who else may know.
//!
//! | a header set by hand, or by [`default_headers`](ClientBuilder::default_headers) | then |
//! | --- | --- |
//! | `traceparent`, `tracestate`, and all that tell a budget ([`HEADERS`](ctxprop::wire::HEADERS)) | the context's takes its place; where it has none, it is removed |
//! | `baggage`, to a peer | it is sent, in place of the context's |
//! | `baggage`, to an allowed host | the same, without what is private in it |
//! | `baggage`, to anyone else | it is removed |
//! | `referer` that names somebody further inside than the host | it is removed |
//!
//! So a gateway that forwards a stranger's headers takes `baggage` out of them first.
//!
//! # What is logged
//!
//! | level | target | what | fields |
//! | --- | --- | --- | --- |
//! | info, a span | `ctxprop` | `send`: one hop, up to the head of its response | `method`, `host`, `path`, `trace_id`, `span_id`, `parent_id`, `status` |
//! | debug | `ctxprop::retry` | the request is repeated | `host`, `status`, `attempt`, `delay` |
//! | debug | `ctxprop::retry` | no retries left in the client's budget | `host`, `attempt` |
//! | debug | `ctxprop::egress` | not trusted: sent without baggage | `host` |
//!
//! # What is counted
//!
//! With the feature `metrics`, by the crate of that name, for whichever recorder the application has.
//!
//! | counter | counts |
//! | --- | --- |
//! | `ctxprop_client_timeouts_shortened_by_deadline_total` | requests whose own timeout was longer than what the context had left |
//! | `ctxprop_client_cancelled_by_deadline_total` | requests that were given up at the deadline of their context, or not sent because of it |
//! | `ctxprop_client_retries_total` | requests that were sent once more |
//! | `ctxprop_client_retries_refused_total` | requests that were not, because the client's budget of retries was used up |
//!
//! # Features
//!
//! None is on by default. `axum` makes [`Error`] a response. `metrics` counts. `middleware` does the same, except for retries,
//! in a chain of reqwest-middleware: see [`ClientBuilder`]'s `build_middleware`. `testing` has a client that answers from a script,
//! without sockets: see the module `testing`. `tower` does the same for any other client of
//! the crate `http`, hyper-util's among them: see its `build_layer`. `brotli`, `charset`, `cookies`, `deflate`, `form`, `gzip`, `http2`, `json`,
//! `multipart`, `query`, `rustls`, `rustls-no-provider`, `socks`, `stream` and `system-proxy` are reqwest's features of
//! the same names. Those it has beside them work as well, where your crate depends on reqwest with them: without
//! `rustls` or another TLS of reqwest's there is no `https`.
//!
//! [`Ctx`]: ctxprop::Ctx

#![cfg_attr(docsrs, feature(doc_cfg))]

mod bound;
mod builder;
mod client;
mod egress;
mod error;
mod escape;
mod into_url;
mod journey;
#[cfg(feature = "tower")]
pub mod layer;
mod metrics;
#[cfg(feature = "middleware")]
pub mod middleware;
pub mod redirect;
mod request;
mod response;
mod retry;
mod send;
#[cfg(feature = "testing")]
pub mod testing;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{BuilderError, Error};
pub use into_url::{IntoUrl, UrlError};
pub use request::RequestBuilder;
pub use response::Response;

pub use reqwest;
#[cfg(feature = "multipart")]
pub use reqwest::multipart;
pub use reqwest::{Body, Method, Proxy, StatusCode, Url, Version, header};
#[cfg(feature = "middleware")]
pub use reqwest_middleware;

/// The response header by which a server says whose deadline a 504 is about: `caller` or `server`.
pub const DEADLINE_EXCEEDED: http::HeaderName =
    http::HeaderName::from_static("x-deadline-exceeded");

/// The example of the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
