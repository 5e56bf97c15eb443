//! [`PropagatorFormat`]: any `TextMapPropagator` as a format of ctxprop's, beside W3C's.
//!
//! # Invariants
//! 1. W3C's headers and the budget's are ours: a propagator neither sees nor writes them.
//! 2. What a propagator wrote is in the message whole or not at all, also where it panics.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use ctxprop::wire::{FIELDS, Format, Found, Inject, Outgoing};
use ctxprop::{SpanContext, TraceFlags};
use http::{HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;

use crate::baggage::{from_baggage, to_baggage};
use crate::faults;
use crate::span_context::{from_span_context, to_span_context};

/// A propagator of OpenTelemetry as a [`Format`]: B3, Jaeger, X-Ray, Datadog, or one of your own.
///
/// It reads what no valid `traceparent` tells, and writes beside it. W3C's own headers stay ctxprop's: of a composite
/// propagator that has them too, the rest is used.
///
/// Of the flags only *sampled* crosses, either way: what the other bits mean is each system's own affair. "Debug" and "deferred",
/// as the propagators of OpenTelemetry have them (bits 2 and 1), are read as sampled.
///
/// A propagator that panics, or writes what is no header, hurts no request: the message is as if it were not there,
/// and it is [counted](crate::faults). (Where the program is built with `panic = "abort"`, nothing helps.)
///
/// # Examples
///
/// ```
/// # #![allow(deprecated)]
/// use std::sync::LazyLock;
///
/// use ctxprop::wire::Formats;
/// use ctxprop_otel::PropagatorFormat;
/// use http::HeaderMap;
/// use opentelemetry_zipkin::{B3Encoding, Propagator};
///
/// static B3: LazyLock<PropagatorFormat<Propagator>> =
///     LazyLock::new(|| PropagatorFormat::new(Propagator::with_encoding(B3Encoding::SingleHeader)));
///
/// // for `CtxLayer::formats(..)`, `ClientBuilder::formats(..)`, `ctx.inject(..)`
/// let formats = Formats::new().with_format(&*B3);
///
/// let mut headers = HeaderMap::new();
/// headers.insert("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1".parse()?);
/// let caller = formats.extract(&headers).span.unwrap();
/// assert_eq!(caller.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
/// assert!(caller.is_sampled() && caller.is_remote());
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub struct PropagatorFormat<P> {
    propagator: P,
    /// What it writes, and what it looks for in a message without any of it.
    fields: Vec<HeaderName>,
}

impl<P: TextMapPropagator + Send + Sync> PropagatorFormat<P> {
    /// Makes a format of `propagator`.
    pub fn new(propagator: P) -> Self {
        let fields = guarded("being asked for its fields", || fields(&propagator));
        PropagatorFormat { propagator, fields: fields.unwrap_or_default() }
    }

    /// The propagator.
    pub fn propagator(&self) -> &P {
        &self.propagator
    }
}

impl<P: fmt::Debug> fmt::Debug for PropagatorFormat<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PropagatorFormat").field(&self.propagator).finish()
    }
}

impl<P: TextMapPropagator + Send + Sync> Format for PropagatorFormat<P> {
    fn fields(&self) -> &[HeaderName] {
        &self.fields
    }

    fn extract(&self, message: &[(&str, &[u8])]) -> Found {
        let message = Message(message);
        let said = || self.fields.iter().any(|name| message.lines(name.as_str()).next().is_some());
        let cx = guarded("reading a message", || {
            self.propagator.extract_with_context(&Context::new(), &message)
        });
        let Some(cx) = cx else {
            return Found { dropped: usize::from(said()), ..Found::default() };
        };
        let span = Some(from_span_context(cx.span().span_context())).filter(SpanContext::is_valid);
        let baggage = from_baggage(cx.baggage());
        let nothing = span.is_none() && baggage.is_empty();
        Found { dropped: usize::from(nothing && said()), span: span.map(read_flags), baggage }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Inject) {
        let mut cx = Context::new();
        if outgoing.span.is_valid() {
            cx = cx.with_remote_span_context(to_span_context(&only_sampled(outgoing.span)));
        }
        if let Some(baggage) = outgoing.baggage {
            cx = cx.with_baggage(to_baggage(baggage));
        }
        let mut written = Written::default();
        let whole =
            guarded("writing a message", || self.propagator.inject_context(&cx, &mut written));
        if whole.is_some() {
            for (name, value) in written.0 {
                carrier.append(name, value);
            }
        }
    }
}

/// Runs a propagator's code; `None` where it panics. What it leaves behind then is not looked at.
fn guarded<R>(doing: &'static str, f: impl FnOnce() -> R) -> Option<R> {
    let done = catch_unwind(AssertUnwindSafe(f)).ok();
    if done.is_none() {
        faults::propagator_panicked(doing);
    }
    done
}

/// What every tracing system means by its flags.
fn only_sampled(span: &SpanContext) -> SpanContext {
    with_flags(span, span.flags().bits() & TraceFlags::SAMPLED.bits())
}

/// Debug is sampled, and deferred leaves it to us.
fn read_flags(span: SpanContext) -> SpanContext {
    let sampled = span.flags().bits() & 0b111 != 0;
    with_flags(&span, u8::from(sampled))
}

fn with_flags(span: &SpanContext, flags: u8) -> SpanContext {
    SpanContext::new(span.trace_id(), span.span_id(), TraceFlags::from_bits(flags))
        .with_trace_state(span.trace_state().clone())
        .with_remote(span.is_remote())
}

fn is_ours(name: &str) -> bool {
    FIELDS.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

/// All that has to go from a message that is written anew. A propagator tells only what it writes; what else it would
/// read, such as the other encoding of B3, it is seen to look for.
fn fields(propagator: &dyn TextMapPropagator) -> Vec<HeaderName> {
    let asked = Asked::default();
    propagator.extract_with_context(&Context::new(), &asked);
    let asked = asked.0.into_inner().unwrap_or_default();
    let mut fields = Vec::new();
    for name in propagator.fields().map(str::to_owned).chain(asked) {
        let Ok(name) = HeaderName::try_from(name) else { continue };
        if !is_ours(name.as_str()) && !fields.contains(&name) {
            fields.push(name);
        }
    }
    fields
}

/// An empty message that remembers what it was asked for.
#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

impl Extractor for Asked {
    fn get(&self, key: &str) -> Option<&str> {
        if let Ok(mut asked) = self.0.lock() {
            asked.push(key.to_owned());
        }
        None
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// What came. A line that is no text is not there.
struct Message<'a>(&'a [(&'a str, &'a [u8])]);

impl<'a> Message<'a> {
    fn lines(&self, key: &str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(key));
        named.filter(|(name, _)| !is_ours(name)).filter_map(|(_, line)| str::from_utf8(line).ok())
    }
}

impl Extractor for Message<'_> {
    /// Of a field that came twice there is no telling which line is right.
    fn get(&self, key: &str) -> Option<&str> {
        let mut lines = self.lines(key);
        lines.next().filter(|_| lines.next().is_none())
    }

    fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for (name, _) in self.0.iter().filter(|(name, _)| !is_ours(name)) {
            if !keys.iter().any(|key| key.eq_ignore_ascii_case(name)) {
                keys.push(name);
            }
        }
        keys
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let lines: Vec<_> = self.lines(key).collect();
        (!lines.is_empty()).then_some(lines)
    }
}

/// What a propagator has written so far.
#[derive(Default)]
struct Written(Vec<(HeaderName, HeaderValue)>);

impl Injector for Written {
    fn set(&mut self, key: &str, value: String) {
        if is_ours(key) {
            return faults::header_refused("W3C's headers and the budget's are written by ctxprop");
        }
        match (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.0.retain(|(other, _)| *other != name);
                self.0.push((name, value));
            }
            _ => faults::header_refused("no valid name and value"),
        }
    }
}

#[cfg(test)]
mod tests;
