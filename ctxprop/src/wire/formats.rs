//! Which headers are read and written. What each of them means is in the modules beside this one.

use std::time::SystemTime;

use super::carrier::{Extract, Inject};
use super::fields::Fields;
use super::foreign::{self, Foreign, Format, Found};
use super::header_values::HeaderValues;
use super::headers::{Field, FieldSet, Group};
use super::{Dropped, Expired, Incoming, Outgoing, baggage, budget, trace_context};
use crate::baggage::BaggageMap;
use crate::span::SpanContext;

/// Which formats to read and to write.
///
/// The default is what the table in [`wire`](super) says: all are read, and those are written
/// that every receiver may see.
///
/// What is on is written in place of all that the carrier says of the same: a header of the trace or the
/// budget that came in and is not one of those that are written is removed, so that a request that is forwarded with
/// its headers tells one trace and one budget. A trace or baggage that is off is not touched: they may be somebody
/// else's, such as another propagator's. A budget that is off is removed all the same, because it holds for nobody
/// any more.
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
/// let caller = Formats::new().trace(false).extract_keys(&headers, &["tenant"]);
/// assert!(caller.span.is_none());
/// assert_eq!(caller.baggage.get("role"), None);
/// assert_eq!(caller.baggage.get("tenant"), Some("acme"));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    trace: bool,
    baggage: bool,
    budget: bool,
    written: FieldSet,
    never_indexed: bool,
    transit: budget::Transit,
    foreign: Option<Foreign>,
}

impl Formats {
    /// The default formats.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            trace: true,
            baggage: true,
            budget: true,
            written: FieldSet::BY_DEFAULT,
            never_indexed: false,
            transit: budget::Transit::Immediate,
            foreign: None,
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

    /// Reads and writes this format beside those of the table, in place of another that was given before. It follows
    /// [`trace`](Formats::trace) and [`baggage`](Formats::baggage): what is off it neither reads nor writes.
    ///
    /// Of a message that has both, the valid `traceparent` counts, and the baggage of `baggage`.
    #[must_use]
    pub const fn with_format(mut self, format: &'static dyn Format) -> Self {
        self.foreign = Some(Foreign(format));
        self
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

    /// Whether budgets are read, in any form, and written. Off, all headers that tell one are removed.
    #[must_use]
    pub const fn budget(mut self, on: bool) -> Self {
        self.budget = on;
        self
    }

    /// Whether `x-trace-id` is written with the trace.
    #[must_use]
    pub const fn send_trace_id(self, on: bool) -> Self {
        self.send(Field::TraceId, on)
    }

    /// Whether `x-timeout-ms` is written with the budget; on by default.
    #[must_use]
    pub const fn send_timeout_ms(self, on: bool) -> Self {
        self.send(Field::TimeoutMs, on)
    }

    /// Whether `x-deadline` is written with the budget; on by default.
    #[must_use]
    pub const fn send_deadline(self, on: bool) -> Self {
        self.send(Field::Deadline, on)
    }

    /// Whether `grpc-timeout` is written with the budget.
    #[must_use]
    pub const fn send_grpc_timeout(self, on: bool) -> Self {
        self.send(Field::GrpcTimeout, on)
    }

    /// Whether `connect-timeout-ms` is written with the budget.
    #[must_use]
    pub const fn send_connect_timeout(self, on: bool) -> Self {
        self.send(Field::ConnectTimeout, on)
    }

    /// Whether `x-envoy-expected-rq-timeout-ms` is written with the budget.
    #[must_use]
    pub const fn send_envoy_timeout(self, on: bool) -> Self {
        self.send(Field::EnvoyTimeout, on)
    }

    /// Whether the values of the trace and the budget are written as ones that no table of HPACK keeps
    /// ([`HeaderValue::is_sensitive`](http::HeaderValue::is_sensitive)); off by default.
    ///
    /// They are new in each request, so over HTTP/2 a place in that table gains them nothing, costs both ends work, and is taken
    /// from headers that do repeat. The baggage stays as it is: it is the same in many requests, and what is private in it is
    /// marked anyhow. No peer sees a difference, nor does HTTP/1.1. `Debug` prints such a value as `Sensitive`, and proxies keep
    /// it out of their tables as well ([RFC 7541, section 7.1.3](https://www.rfc-editor.org/rfc/rfc7541#section-7.1.3)). What
    /// [another format](Formats::with_format) writes is its own to mark.
    ///
    /// ```
    /// use ctxprop::wire::Formats;
    /// use ctxprop::{Background, Ctx};
    /// use http::HeaderMap;
    ///
    /// let mut headers = HeaderMap::new();
    /// let ctx = Ctx::background().child_span();
    /// ctx.inject(&mut headers, &Formats::new().never_indexed(true))?;
    /// assert!(headers["traceparent"].is_sensitive());
    /// # Ok::<(), ctxprop::Cancelled>(())
    /// ```
    #[must_use]
    pub const fn never_indexed(mut self, on: bool) -> Self {
        self.never_indexed = on;
        self
    }

    const fn send(mut self, field: Field, on: bool) -> Self {
        self.written = self.written.with(field, on);
        self
    }

    /// Reads what a caller sent. Never fails: see [`wire`](super).
    #[must_use]
    pub fn extract(&self, carrier: &(impl Extract + ?Sized)) -> Incoming {
        self.read(carrier, baggage::read_when_asked, BaggageMap::clone)
    }

    /// Reads what a caller sent, and of its baggage only the members with these keys, compared exactly: for a service
    /// that faces strangers. Never fails.
    ///
    /// Members with other keys are neither checked nor counted as malformed, and take no room from those that are
    /// taken. They are looked past many bytes at a time.
    #[must_use]
    pub fn extract_keys<K: AsRef<str>>(
        &self,
        carrier: &(impl Extract + ?Sized),
        keys: &[K],
    ) -> Incoming {
        self.read(
            carrier,
            |fields, dropped| baggage::read_keys(fields, keys, dropped),
            |found| found.retain_keys(keys),
        )
    }

    #[inline]
    fn read(
        &self,
        carrier: &(impl Extract + ?Sized),
        baggage: impl FnOnce(&Fields<'_>, &mut Dropped) -> BaggageMap,
        believed: impl FnOnce(&BaggageMap) -> BaggageMap,
    ) -> Incoming {
        let mut fields = Fields::default();
        fields.collect(carrier);
        let mut dropped = Dropped::default();
        let mut incoming = Incoming {
            span: match (self.trace, self.foreign) {
                (true, None) => trace_context::read(&fields, &mut dropped),
                _ => None,
            },
            baggage: match self.baggage {
                true => baggage(&fields, &mut dropped),
                false => BaggageMap::empty(),
            },
            budget: match self.budget {
                true => budget::read(&fields, self.transit, SystemTime::now, &mut dropped),
                false => None,
            },
            dropped: 0,
        };
        if let Some(format) = self.foreign {
            self.read_foreign(format, (carrier, &fields), &mut incoming, believed, &mut dropped);
        }
        incoming.dropped = dropped.0;
        incoming
    }

    #[cold]
    #[inline(never)]
    fn write_foreign(&self, format: Foreign, outgoing: &Outgoing<'_>, carrier: &mut impl Inject) {
        if !self.trace && !self.baggage {
            return;
        }
        format.clear(carrier);
        let nowhere = SpanContext::invalid();
        let told = Outgoing {
            span: if self.trace { outgoing.span } else { &nowhere },
            baggage: outgoing.baggage.filter(|_| self.baggage),
            remaining: outgoing.remaining,
        };
        format.inject(&told, carrier);
    }

    /// The trace, and the baggage where `incoming` has none.
    #[cold]
    #[inline(never)]
    fn read_foreign(
        &self,
        format: Foreign,
        (carrier, fields): (&(impl Extract + ?Sized), &Fields<'_>),
        incoming: &mut Incoming,
        believed: impl FnOnce(&BaggageMap) -> BaggageMap,
        dropped: &mut Dropped,
    ) {
        let lines = || carrier.lines().map(|(name, line)| (name, line.as_bytes()));
        let mut found = None::<Found>;
        if self.trace {
            let span = || found.insert(format.extract(lines())).span.take();
            incoming.span = foreign::span(fields, span, dropped);
        }
        if self.baggage && incoming.baggage.is_empty() {
            let found = found.get_or_insert_with(|| format.extract(lines()));
            if !found.baggage.is_empty() {
                incoming.baggage = believed(&found.baggage);
            }
        }
        if let Some(found) = found.filter(|found| found.dropped > 0) {
            dropped.note("a foreign format", "malformed", found.dropped);
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
        carrier.clear(self.replaced());
        if let Some(format) = self.foreign {
            self.write_foreign(format, outgoing, carrier);
        }
        let mut values = HeaderValues::new();
        let budget = outgoing.remaining.filter(|_| self.budget).map(|remaining| {
            let composed = budget::compose(remaining, SystemTime::now, self.written, &mut values);
            (remaining, composed)
        });
        let parent = match self.trace {
            true => trace_context::compose(outgoing.span, &mut values),
            false => None,
        };
        let shared = values.share(self.never_indexed);
        if let Some((remaining, composed)) = budget {
            budget::append(&composed, &shared, remaining, self.written, carrier);
        }
        let with_id = self.written.has(Field::TraceId);
        trace_context::append(parent, shared, outgoing.span, with_id, carrier);
        if self.baggage {
            baggage::write(outgoing.baggage, carrier);
        }
        Ok(())
    }

    /// What the carrier says of it is not what goes out.
    const fn replaced(&self) -> FieldSet {
        let mut replaced = budget::BUDGET;
        if self.trace {
            replaced = replaced.and(FieldSet::of(Group::Trace));
        }
        if self.baggage {
            replaced = replaced.and(FieldSet::of(Group::Baggage));
        }
        replaced
    }
}

impl Default for Formats {
    /// [`Formats::new`].
    fn default() -> Self {
        Self::new()
    }
}
