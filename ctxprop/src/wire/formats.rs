//! Which headers are read and written. What each of them means is in the modules beside this one.

use std::time::SystemTime;

use super::carrier::{Extract, Inject};
use super::fields::Fields;
use super::{Dropped, Expired, Incoming, Outgoing, baggage, budget, trace_context};
use crate::baggage::BaggageMap;

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
    transit: budget::Transit,
    written: budget::Written,
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
            transit: budget::Transit::Immediate,
            written: budget::Written {
                timeout_ms: true,
                deadline: true,
                grpc: false,
                connect: false,
                envoy: false,
            },
        }
    }

    /// The formats for what may wait before it is read: messages in a queue, environment variables.
    ///
    /// A number of milliseconds would count from whenever somebody gets to it, and grant the time
    /// in the queue a second time. So the budget is written as `x-deadline` only, no relative
    /// header is read, and a deadline that passed counts as such however long ago it was. The
    /// clocks of both sides must agree, as those of one machine do.
    #[must_use]
    pub const fn queued() -> Self {
        let mut formats = Self::new().send_timeout_ms(false);
        formats.transit = budget::Transit::Queued;
        formats
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

    /// Whether budgets are read, in any form, and written.
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

    /// Whether `x-timeout-ms` is written with the budget; on by default. Off, it is removed.
    #[must_use]
    pub const fn send_timeout_ms(mut self, on: bool) -> Self {
        self.written.timeout_ms = on;
        self
    }

    /// Whether `x-deadline` is written with the budget; on by default. Off, it is removed.
    #[must_use]
    pub const fn send_deadline(mut self, on: bool) -> Self {
        self.written.deadline = on;
        self
    }

    /// Whether `grpc-timeout` is written with the budget.
    #[must_use]
    pub const fn send_grpc_timeout(mut self, on: bool) -> Self {
        self.written.grpc = on;
        self
    }

    /// Whether `connect-timeout-ms` is written with the budget.
    #[must_use]
    pub const fn send_connect_timeout(mut self, on: bool) -> Self {
        self.written.connect = on;
        self
    }

    /// Whether `x-envoy-expected-rq-timeout-ms` is written with the budget.
    #[must_use]
    pub const fn send_envoy_timeout(mut self, on: bool) -> Self {
        self.written.envoy = on;
        self
    }

    /// Reads what a caller sent. Never fails: see [`wire`](super).
    #[must_use]
    pub fn extract(&self, carrier: &(impl Extract + ?Sized)) -> Incoming {
        let mut fields = Fields::default();
        fields.collect(carrier);
        let mut dropped = Dropped::default();
        Incoming {
            span: if self.trace { trace_context::read(&fields, &mut dropped) } else { None },
            baggage: match self.baggage {
                true => baggage::read(&fields, &mut dropped),
                false => BaggageMap::empty(),
            },
            budget: match self.budget {
                true => budget::read(&fields, self.transit, SystemTime::now, &mut dropped),
                false => None,
            },
            dropped: dropped.0,
        }
    }

    /// Writes what the next hop is to know, in place of whatever lines the carrier has.
    ///
    /// # Errors
    ///
    /// Less than 1 ms remains, be the budget written or not. Nothing has been written or removed
    /// then.
    pub fn inject(
        &self,
        outgoing: &Outgoing<'_>,
        carrier: &mut impl Inject,
    ) -> Result<(), Expired> {
        if outgoing.remaining.is_some_and(|remaining| remaining < budget::MIN_BUDGET) {
            return Err(Expired);
        }
        // The budget first: where there is none it only removes, which costs least while a new
        // map is still empty.
        if self.budget {
            budget::write(outgoing.remaining, SystemTime::now, self.written, carrier);
        }
        if self.trace {
            trace_context::write(outgoing.span, carrier);
            if self.send_trace_id {
                trace_context::write_trace_id(outgoing.span, carrier);
            }
        }
        if self.baggage {
            baggage::write(outgoing.baggage, carrier);
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
