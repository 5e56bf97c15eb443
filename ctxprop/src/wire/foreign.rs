//! What another tracing system plugs in: a format of its own beside those of the table, and the span that it is in.
//!
//! Nothing here knows such a system: `ctxprop-otel` is the one that does.
//!
//! # Invariants
//! 1. W3C comes first: of a message that has both, the valid `traceparent` and the baggage of `baggage` count.
//! 2. What is off in the [`Formats`](super::Formats) a foreign format neither reads nor writes, and it is told nothing
//!    that the others are not told.

use std::sync::OnceLock;
use std::{fmt, ptr};

use ::http::HeaderName;

use super::headers::Field;
use super::{Dropped, Fields, Inject, Outgoing, trace_context};
use crate::baggage::BaggageMap;
use crate::ctx::Ctx;
use crate::span::SpanContext;

/// A format that is not one of [`HEADERS`](super::HEADERS), such as B3: see
/// [`Formats::with_format`](super::Formats::with_format).
///
/// It must not panic, and what strangers sent must not make it: it leaves out what is malformed, and counts it.
///
/// # Examples
///
/// ```
/// use ctxprop::wire::{Format, Formats, Found, Inject, Outgoing};
/// use ctxprop::{SpanContext, SpanId, TraceFlags};
/// use http::{HeaderMap, HeaderName, HeaderValue};
///
/// /// `x-place: <trace id>/<span id>`
/// #[derive(Debug)]
/// struct Place;
///
/// static X_PLACE: [HeaderName; 1] = [HeaderName::from_static("x-place")];
///
/// impl Format for Place {
///     fn fields(&self) -> &[HeaderName] {
///         &X_PLACE
///     }
///     fn extract(&self, message: &[(&str, &[u8])]) -> Found {
///         let line = message.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-place"));
///         let span = line.and_then(|(_, line)| {
///             let (trace, span) = std::str::from_utf8(line).ok()?.split_once('/')?;
///             Some(SpanContext::new(trace.parse().ok()?, span.parse().ok()?, TraceFlags::SAMPLED))
///         });
///         Found { span, ..Found::default() }
///     }
///     fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Inject) {
///         let place = format!("{}/{}", outgoing.span.trace_id(), outgoing.span.span_id());
///         if let Ok(place) = HeaderValue::try_from(place) {
///             carrier.append(X_PLACE[0].clone(), place);
///         }
///     }
/// }
///
/// let formats = Formats::new().with_format(&Place);
/// let mut headers = HeaderMap::new();
/// headers.insert("x-place", "0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331".parse()?);
/// let caller = formats.extract(&headers).span.unwrap();
/// assert_eq!(caller.span_id().to_string(), "b7ad6b7169203331");
/// assert!(caller.is_remote());
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub trait Format: fmt::Debug + Send + Sync {
    /// The fields that it writes: they are removed from a message before it is written into, as those of the table are.
    fn fields(&self) -> &[HeaderName];

    /// Reads a message: all its lines as name, in any case, and value, those of one name in their order.
    ///
    /// It is called where no valid `traceparent`, or no baggage, came.
    fn extract(&self, message: &[(&str, &[u8])]) -> Found;

    /// Writes what the next hop is to know. The budget is written by the formats of the table.
    ///
    /// It is not called where there is no valid span to tell and no baggage.
    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Inject);
}

/// What a [`Format`] found in a message.
#[derive(Debug, Default, Clone)]
pub struct Found {
    /// Where the caller stands in its trace. It is marked remote, whatever it says.
    pub span: Option<SpanContext>,
    /// What the caller wants to travel on. The keys that are not believed are left out later.
    pub baggage: BaggageMap,
    /// How much was malformed and left out.
    pub dropped: usize,
}

/// One that lasts as long as the process, so that [`Formats`](super::Formats) stay plain values.
#[derive(Clone, Copy)]
pub(super) struct Foreign(pub(super) &'static dyn Format);

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        ptr::addr_eq(self.0, other.0)
    }
}

impl Eq for Foreign {}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Foreign {
    pub(super) fn extract<'a>(self, lines: impl Iterator<Item = (&'a str, &'a [u8])>) -> Found {
        let message: Vec<_> = lines.collect();
        let mut found = self.0.extract(&message);
        found.span = found.span.filter(SpanContext::is_valid).map(|span| span.with_remote(true));
        found
    }

    pub(super) fn clear(self, carrier: &mut impl Inject) {
        for name in self.0.fields() {
            carrier.remove(name);
        }
    }

    pub(super) fn inject(self, outgoing: &Outgoing<'_>, carrier: &mut impl Inject) {
        if outgoing.span.is_valid() || outgoing.baggage.is_some() {
            self.0.inject(outgoing, carrier);
        }
    }
}

/// The caller's span, where a foreign format found `span`: behind a valid `traceparent`, before `x-trace-id`, which names
/// no span.
pub(super) fn span(
    fields: &Fields<'_>,
    span: impl FnOnce() -> Option<SpanContext>,
    dropped: &mut Dropped,
) -> Option<SpanContext> {
    if fields.lacks(Field::TraceParent) {
        return span().or_else(|| trace_context::read(fields, dropped));
    }
    trace_context::read(fields, dropped).or_else(span)
}

/// What tells the span that a tracing system is in.
type Active = fn(&SpanContext) -> Option<SpanContext>;

static ACTIVE: OnceLock<Active> = OnceLock::new();

/// Has all hops of this process begin below the span that a tracing system is in, for as long as the process lasts.
///
/// `active` is given the span of a context, and tells the one that is active on this thread and belongs to the same
/// trace, or to any where the context's is not valid. It must not block or panic. False where another one was there before;
/// that one stays.
pub fn set_active_span(active: Active) -> bool {
    ACTIVE.set(active).is_ok() || ACTIVE.get().is_some_and(|set| ptr::fn_addr_eq(*set, active))
}

impl Ctx {
    /// The span that what goes out now hangs below: the one that a tracing system is in
    /// ([`set_active_span`]), or this context's.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// // No tracing system says otherwise here.
    /// let ctx = Ctx::background().child_span();
    /// assert_eq!(ctx.active_span(), *ctx.span());
    /// ```
    #[must_use]
    pub fn active_span(&self) -> SpanContext {
        let own = self.span();
        let active = ACTIVE.get().and_then(|active| active(own));
        active.unwrap_or_else(|| own.clone())
    }
}

#[cfg(test)]
mod tests;
