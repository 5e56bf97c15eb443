//! reqwest's client with a [`Ctx`]: each request tells the next hop its trace, its budget and, inside the
//! mesh, its baggage, takes no longer than the caller will wait, and ends when the caller does.
//!
//! The names are reqwest's; one thing differs: [`send`](RequestBuilder::send) cannot be awaited without a
//! context. In a `#[propagate]` function it is threaded for you.
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
//! | when | then |
//! | --- | --- |
//! | the context has ended, or less than 1 ms is left | [`Error::Cancelled`]; no connection is opened |
//! | it is sent | a span of its own below the context's, what remains of the budget, and baggage for peers; a `tracing` span `send` with the ids, method, scheme, host, port, path and status, or `failed` |
//! | the context ends | [`Error::Cancelled`] at once; the connection closes, over HTTP/2 the stream |
//! | the context ends while the response's body is read | reading it fails with [`Error::Cancelled`], wherever that is |
//! | its own, shorter timeout passes | reqwest's timeout error, as ever |
//! | the answer is 504 with `x-deadline-exceeded: caller` | [`Error::Cancelled`]: it was our budget that ran out there |
//! | the answer is any other 504 | a response |
//! | the answer is a redirect | a hop more, with headers of its own: see [`redirect`] |
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
//! # Features
//!
//! None is on by default. `axum` makes [`Error`] a response. `middleware` has the same, retries aside, for a chain of reqwest-middleware: see
//! [`ClientBuilder`]'s `build_middleware`. `brotli`, `charset`, `cookies`, `deflate`, `form`, `gzip`, `http2`, `json`,
//! `multipart`, `query`, `rustls`, `rustls-no-provider`, `socks`, `stream` and `system-proxy` are reqwest's features of
//! the same names. Those it has beside them work as well, where your crate depends on reqwest with them: without
//! `rustls` or another TLS of reqwest's there is no `https`.
//!
//! [`Ctx`]: ctxprop::Ctx

mod bound;
mod builder;
mod client;
mod egress;
mod error;
mod escape;
mod into_url;
mod journey;
#[cfg(feature = "middleware")]
pub mod middleware;
pub mod redirect;
mod request;
mod response;
mod retry;
mod send;

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
