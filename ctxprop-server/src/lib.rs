//! What the server layers of ctxprop have in common, whatever protocol they speak: `ctxprop-axum` and `ctxprop-tonic`
//! are made of it, and a layer for another framework can be.
//!
//! [`Policy`] is what such a layer was told: whom it believes, and how much. [`Policy::admit`] makes of a request's
//! headers the context that the request runs under. [`Watchers`] see to it that what is sent as the answer ends with
//! that context, though nobody asks for it. [`Inner`] has a request wait for the service inside on its own budget.
//! [`metrics`] counts.
//!
//! A request is [`InFlight`] from its headers to its end, first in the [`Handler`] that answers it, then in the body of the
//! answer, which is [`Held`]. What a protocol adds is how it tells an end: its statuses, and the span and the event of a
//! request ([`Told`]).
//!
//! ```
//! use std::time::Duration;
//!
//! use ctxprop::{Background, Ctx};
//! use ctxprop_server::{Granted, Policy};
//! use http::{Extensions, HeaderMap};
//!
//! let mut policy = Policy::edge();
//! policy.default_budget = Some(Duration::from_secs(10));
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("x-timeout-ms", "250".parse()?);
//! let admitted = policy.admit(&Ctx::background(), &Extensions::new(), &headers);
//! assert!(!policy.is_too_little(admitted.budget));
//! assert!(admitted.ctx.remaining() <= Some(Duration::from_millis(250)));
//! assert_eq!(admitted.granted, Granted::Caller);
//! # Ok::<(), http::header::InvalidHeaderValue>(())
//! ```

mod body;
mod handler;
mod in_flight;
pub mod metrics;
mod policy;
mod ready;
mod room;
mod watch;

pub use body::{Flow, Held, Next};
pub use handler::{Answered, Handler, Request};
pub use in_flight::{Fate, InFlight, Over, Told, gone, heard};
pub use policy::{Accept, Admitted, Granted, Policy};
pub use ready::{Call, Inner};
pub use room::{Lodged, Room};
pub use watch::{Bound, Ends, Place, Watched, Watchers};

/// The example of the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
