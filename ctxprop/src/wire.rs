//! What crosses a hop in headers, of requests and of messages, and in environments: trace, baggage and budget, read
//! and written.
//!
//! Reading never fails: what is malformed is left out, whole or by member, counted, and reported
//! as one `tracing` event (target `ctxprop::wire`) a header and reason, without what the header
//! said. Writing replaces, so that a header map that came in can be sent on.
//!
//! Whom to believe is not decided here. A service that faces strangers reads with fewer
//! [`Formats`], or only one of [`trace_context`], [`baggage`] and [`budget`].
//!
//! [What goes over the wire](self#what-goes-over-the-wire), below, shows each header as it is written.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use ctxprop::SpanContext;
//! use ctxprop::wire::{Incoming, Outgoing};
//! use http::HeaderMap;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("x-timeout-ms", "250".parse()?);
//! headers.insert("baggage", "tenant=acme".parse()?);
//!
//! let caller = Incoming::from_headers(&headers);
//! assert_eq!(caller.budget, Some(Duration::from_millis(250)));
//! assert_eq!(caller.baggage.get("tenant"), Some("acme"));
//!
//! let span = SpanContext::root();
//! let next = Outgoing {
//!     span: &span,
//!     baggage: Some(&caller.baggage),
//!     remaining: Some(Duration::from_micros(199_500)),
//! };
//! let mut headers = HeaderMap::new();
//! next.write(&mut headers)?;
//! assert_eq!(headers["x-timeout-ms"], "199");
//! assert_eq!(headers["baggage"], "tenant=acme");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![doc = include_str!("../docs/wire.md")]

pub mod baggage;
pub mod budget;
mod carrier;
mod environment;
mod fields;
mod foreign;
mod formats;
mod header_values;
mod headers;
pub(crate) mod hop;
mod http;
pub mod trace_context;

use std::fmt;
use std::time::Duration;

use crate::baggage::BaggageMap;
use crate::span::SpanContext;

pub use crate::field_value::FieldValue;
pub use carrier::{Extract, Inject};
pub use environment::Environment;
use fields::Fields;
pub use foreign::{Format, Found, set_active_span};
pub use formats::Formats;
pub use headers::{FIELDS, Group, HEADERS, Header};
pub use hop::{Hop, HopRecorder, HopRecording, Request, Side, set_hop_recorder};

/// What a caller sent.
#[derive(Debug, Default, Clone)]
#[non_exhaustive]
pub struct Incoming {
    /// Where the caller stands in its trace, if it sent a valid place.
    pub span: Option<SpanContext>,
    /// What the caller wants to travel on; empty where it sent none.
    pub baggage: BaggageMap,
    /// How long the caller will wait from now on; zero if no longer, `None` if it did not say.
    pub budget: Option<Duration>,
    dropped: usize,
}

impl Incoming {
    /// Reads all headers of the default [`Formats`]. Never fails.
    #[must_use]
    pub fn from_headers(carrier: &(impl Extract + ?Sized)) -> Self {
        Formats::default().extract(carrier)
    }

    /// How many headers, lines and members were malformed, too many or too long, and left out.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped + self.baggage.left_out()
    }
}

/// What to tell the next hop.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The caller's span as the receiver shall see it. Not valid: no trace is sent.
    pub span: &'a SpanContext,
    /// `None` where the receiver must not see any.
    pub baggage: Option<&'a BaggageMap>,
    /// How much of the budget remains; `None` where there is no deadline.
    pub remaining: Option<Duration>,
}

impl Outgoing<'_> {
    /// Writes all headers of the default [`Formats`], in place of whatever lines they have.
    ///
    /// A header there is nothing to say of is removed, and so is one of the trace or the budget that these formats
    /// read and do not write, such as `grpc-timeout`: the caller of a request that is forwarded with its headers would
    /// otherwise grant the next hop a budget that nobody here has.
    ///
    /// # Errors
    ///
    /// Less than 1 ms remains. Nothing has been written or removed then.
    pub fn write(&self, carrier: &mut impl Inject) -> Result<(), Expired> {
        Formats::default().inject(self, carrier)
    }
}

/// The budget has less than 1 ms left, so the request is not worth sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expired;

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("less than 1 ms of the budget remains")
    }
}

impl std::error::Error for Expired {}

/// Counts and reports what was left out of one message.
#[derive(Debug, Default)]
struct Dropped(usize);

impl Dropped {
    /// One event, however many times the header gave this reason: a hostile one can give
    /// thousands.
    #[cold]
    fn note(&mut self, header: &'static str, reason: &'static str, count: usize) {
        self.0 += count;
        tracing::debug!(target: "ctxprop::wire", header, reason, count, "dropped from a message");
    }
}

#[cfg(test)]
mod tests;
