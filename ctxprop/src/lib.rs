//! Request context for async Rust that crosses functions, tasks and networks.
//!
//! A *context* is a value, a [`Ctx`], that belongs to one request. It says how long the caller will wait, whether they are
//! still there, who they are, and where in the distributed trace we stand. `#[propagate]` hands it on from function to
//! function, [`Ctx::spawn`] gives it to tasks, and the crates `ctxprop-axum` and `ctxprop-reqwest` carry it through networks.
//! Code that would lose it does not compile.
//!
//! When the caller leaves or the time is up, the context *ends*. Each `.await` of a `#[propagate]` function then gives an
//! error, so that the code leaves by its errors and gets to clean up. This is called *unwinding*. What must still be done
//! then is done under a *shield*.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use std::time::Duration;
//!
//! use ctxprop::{Background, Cancelled, Ctx, propagate};
//!
//! // An entry point has its context as a parameter ..
//! #[propagate]
//! async fn checkout(ctx: Ctx, id: u64) -> Result<String, Cancelled> {
//!     let (cart, price) = tokio::join!(load_cart(id), quote(id));
//!     match price {
//!         Ok(price) => Ok(format!("{} for {price}", cart?)),
//!         // The caller may be gone, or the time be up: cleanup still runs, for at most two seconds.
//!         Err(error) => {
//!             ctx.shield(Duration::from_secs(2), release(id)).await?;
//!             Err(error)
//!         }
//!     }
//! }
//!
//! // .. and a function in the middle leaves it out. It cannot be awaited where there is none.
//! #[propagate]
//! async fn load_cart(id: u64) -> Result<String, Cancelled> {
//!     Ok(format!("cart {id}"))
//! }
//!
//! // The end of the context is seen at each `.await` and returned as an error, as `?` returns one.
//! #[propagate(budget = "40%")]
//! async fn quote(id: u64) -> Result<u64, Cancelled> {
//!     tokio::time::sleep(Duration::from_millis(id)).await;
//!     Ok(100)
//! }
//!
//! async fn release(id: u64) {
//!     println!("reservation {id} released");
//! }
//!
//! let ctx = Ctx::background().with_timeout(Duration::from_secs(1));
//! assert_eq!(checkout(ctx.clone(), 7).await.unwrap(), "cart 7 for 100");
//! assert!(checkout(ctx, 3_600_000).await.unwrap_err().is_deadline());
//! # });
//! ```
//!
//! # Rules for callers
//!
//! - Take the context from whoever calls you. Make a root, which is a context without a parent ([`Background`]), only in
//!   `main`, in tests, and where work starts by itself.
//! - Do not store a context in a struct that outlives the request. Pass it, or let `#[propagate]` hand it on.
//! - Spawn with [`Ctx::spawn`]. For work that is to outlive the request, use [`Ctx::detach`], or
//!   [`Ctx::detach_until_shutdown`] if it is to end with the server.
//! - Clean up in code that runs after the error, under [`Ctx::shield`], and not in `Drop`, which cannot await.
//! - Values ([`Ctx::with_value`]) are for what travels with a request through layers that do not know of it. They are no way
//!   to hide parameters. They stay in the process. What must reach the next process is baggage.
//! - The same context may be used from many tasks at once.
//!
//! # Where things are
//!
//! | to | see |
//! | --- | --- |
//! | bring it into a service that you have, step by step | [Adopting it](https://docs.rs/ctxprop-axum/latest/ctxprop_axum/guide/adopting/), a page of `ctxprop-axum` |
//! | serve, and call others | the crates [`ctxprop-axum`](https://docs.rs/ctxprop-axum), [`ctxprop-reqwest`](https://docs.rs/ctxprop-reqwest), [`ctxprop-tonic`](https://docs.rs/ctxprop-tonic) for gRPC, [`ctxprop-sqlx`](https://docs.rs/ctxprop-sqlx) for PostgreSQL |
//! | make and observe contexts | [`Ctx`], [`Canceller`], [`Cause`], [`Cancelled`] |
//! | write functions that carry one | [`macro@propagate`], [`NeedsCtx`] |
//! | run code under one | [`Scope`], [`Run`], [`Task`], [`Shield`], [`Shared`] |
//! | say who asks | [`macro@Baggage`], [`BaggageMap`] |
//! | say where in the trace we are | [`SpanContext`] |
//! | read and write headers, messages, environments | [`wire`], [`Ctx::with_incoming`], [`Ctx::inject`] |
//! | say who may know what | [`trust`] |
//! | find roots that should not be | [`detached`] |
//! | understand what the compiler says | [`messages`] |
//! | test every way it can end | the module `testing`, with the feature of that name |
//!
//! # Features
//!
//! `macros` (default) has `#[propagate]` and `#[derive(Baggage)]`. `axum` implements axum's traits for [`Ctx`] and
//! [`Cancelled`]; `ctxprop-axum` turns it on. `tonic` makes [`Cancelled`] a `tonic::Status` and reads it out of one, and
//! makes tonic's metadata a [carrier](wire); `ctxprop-tonic` turns it on. `nats` makes the headers of `async-nats` 0.50 one.
//! `testing` is for `[dev-dependencies]`: `#[ctxprop::test]` and the module `testing`.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod async_block;
#[cfg(feature = "axum")]
mod axum;
mod baggage;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod baggage_field;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod body;
mod context;
pub mod detached;
mod end;
mod fault;
mod field_value;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod in_span;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod local;
#[doc = include_str!("../docs/messages.md")]
#[cfg(feature = "macros")]
pub mod messages {}
#[cfg(all(test, ctxprop_model))]
mod model;
#[cfg(feature = "nats")]
mod nats;
mod needs_ctx;
mod of_request;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod questions;
#[doc(hidden)]
pub mod run;
mod span;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tonic")]
mod tonic;
pub mod trust;
pub mod wire;

#[doc(hidden)]
pub mod __private;

#[cfg(feature = "observe")]
#[doc(hidden)]
pub use run::observe;

// The names under which the floors above know them.
pub(crate) use context::ctx;
pub(crate) use end::cause;

#[cfg(feature = "axum")]
pub use axum::MissingLayer;
pub use baggage::{
    Baggage, BaggageError, BaggageErrorKind, BaggageMap, BaggageMapBuilder, MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_MEMBERS,
};
pub use context::canceller::{CancelGuard, Canceller};
pub use context::ctx::{Background, Ctx};
pub use context::on_done::Registration;
#[doc = include_str!("../docs/derive-baggage.md")]
#[cfg(feature = "macros")]
pub use ctxprop_macros::Baggage;
#[doc = include_str!("../docs/propagate.md")]
#[cfg(feature = "macros")]
pub use ctxprop_macros::propagate;
#[doc = include_str!("../docs/test.md")]
#[cfg(all(feature = "macros", feature = "testing"))]
pub use ctxprop_macros::test;
pub use end::cause::{Cancelled, Cause};
pub use needs_ctx::{Awaitable, NeedsCtx};
pub use run::carry::Carry;
pub use run::defer::Deferred;
pub use run::done::Done;
pub use run::listed::TaskInfo;
pub use run::scope::{Run, Scope};
pub use run::shared::Shared;
pub use run::shield::{Shield, Shielding};
pub use run::task::Task;
pub use run::task_set::{JoinNext, TaskSet};
pub use span::{
    MAX_TRACE_STATE_BYTES, MAX_TRACE_STATE_MEMBERS, ParseIdError, SpanContext, SpanId, TraceFlags,
    TraceId, TraceState, TraceStateError,
};
