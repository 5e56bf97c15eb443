//! Which headers are read and written. What each of them means is in the modules beside this one.

use std::time::SystemTime;

use http::HeaderMap;

use super::{Dropped, Expired, Incoming, Outgoing, baggage, budget, trace_context};

/// Which formats to read and to write.
///
/// The default is what the table in [`wire`](super) says: all are read, and those are written
/// that every receiver may see. A format that is off is neither read, nor written, nor removed.
///
/// # Examples
///
/// What a service that faces strangers takes of them:
///
/// ```
/// use ctxprop::wire::Formats;
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// headers.insert("traceparent", parent.parse()?);
/// headers.insert("baggage", "tenant=acme,role=admin".parse()?);
///
/// let caller = Formats::new().trace(false).extract(&headers);
/// assert!(caller.span.is_none());
/// let taken = caller.baggage.retain_keys(&["tenant"]);
/// assert_eq!(taken.get("role"), None);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    trace: bool,
    baggage: bool,
    budget: bool,
    send_trace_id: bool,
    extra: budget::Extra,
}

impl Formats {
    /// The default formats.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            trace: true,
            baggage: true,
            budget: true,
            send_trace_id: false,
            extra: budget::Extra { grpc: false, connect: false, envoy: false },
        }
    }

    /// Whether `traceparent` and `tracestate` are read and written, and `x-trace-id` read.
    #[must_use]
    pub const fn trace(mut self, on: bool) -> Self {
        self.trace = on;
        self
    }

    /// Whether `baggage` is read and written.
    #[must_use]
    pub const fn baggage(mut self, on: bool) -> Self {
        self.baggage = on;
        self
    }

    /// Whether budgets are read, in any form, and `x-timeout-ms` and `x-deadline` written.
    #[must_use]
    pub const fn budget(mut self, on: bool) -> Self {
        self.budget = on;
        self
    }

    /// Whether `x-trace-id` is written with the trace.
    #[must_use]
    pub const fn send_trace_id(mut self, on: bool) -> Self {
        self.send_trace_id = on;
        self
    }

    /// Whether `grpc-timeout` is written with the budget.
    #[must_use]
    pub const fn send_grpc_timeout(mut self, on: bool) -> Self {
        self.extra.grpc = on;
        self
    }

    /// Whether `connect-timeout-ms` is written with the budget.
    #[must_use]
    pub const fn send_connect_timeout(mut self, on: bool) -> Self {
        self.extra.connect = on;
        self
    }

    /// Whether `x-envoy-expected-rq-timeout-ms` is written with the budget.
    #[must_use]
    pub const fn send_envoy_timeout(mut self, on: bool) -> Self {
        self.extra.envoy = on;
        self
    }

    /// Reads what a caller sent. Never fails: see [`wire`](super).
    #[must_use]
    pub fn extract(&self, headers: &HeaderMap) -> Incoming {
        let mut dropped = Dropped::default();
        let mut incoming = Incoming::default();
        if self.trace {
            incoming.span = trace_context::read(headers, &mut dropped);
        }
        if self.baggage {
            incoming.baggage = baggage::read(headers, &mut dropped);
        }
        if self.budget {
            incoming.budget = budget::read(headers, SystemTime::now, &mut dropped);
        }
        incoming.dropped = dropped.0;
        incoming
    }

    /// Writes what the next hop is to know, in place of whatever lines the headers have.
    ///
    /// # Errors
    ///
    /// Less than 1 ms remains, be the budget written or not. Nothing has been written or removed
    /// then.
    pub fn inject(&self, outgoing: &Outgoing<'_>, headers: &mut HeaderMap) -> Result<(), Expired> {
        if outgoing.remaining.is_some_and(|remaining| remaining < budget::MIN_BUDGET) {
            return Err(Expired);
        }
        if self.trace {
            trace_context::write(outgoing.span, headers);
            if self.send_trace_id {
                trace_context::write_trace_id(outgoing.span, headers);
            }
        }
        if self.baggage {
            baggage::write(outgoing.baggage, headers);
        }
        if self.budget {
            budget::write(outgoing.remaining, SystemTime::now, self.extra, headers);
        }
        Ok(())
    }
}

impl Default for Formats {
    /// [`Formats::new`].
    fn default() -> Self {
        Self::new()
    }
}
