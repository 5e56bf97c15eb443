//! The headers `traceparent` and `tracestate`, and the older `x-trace-id`.
//!
//! [W3C Trace Context Level 2](https://www.w3.org/TR/trace-context-2/), section 3, as a
//! participant: what is sent names a span of ours, in version 00. The list that `tracestate` holds
//! is [`TraceState`]'s business.

use super::Dropped;
use super::carrier::{Extract, Inject};
use super::fields::Fields;
use super::header_values::{HeaderValues, Place, Shared};
use super::headers::Field;
use crate::span::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, decode_hex, encode_hex};

/// The caller's span, marked remote; `None` if the caller sent none, or none that is valid.
///
/// - Two `traceparent` lines are none: there is no telling which is right.
/// - `tracestate` lines are combined in order, and of members with the same key the first is taken.
///   An invalid one is left out and changes nothing else; without a valid `traceparent` it is not
///   looked at.
/// - `x-trace-id` (32 lower-case hexadecimal digits) counts where no `traceparent` came. It names
///   no span, so the context has a fresh span id, which nobody recorded, and is taken as sampled.
///
/// See Trace Context Level 2, sections 3.2 "Traceparent Header" and 3.3 "Tracestate Header".
///
/// # Examples
///
/// ```
/// use ctxprop::wire::trace_context;
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// headers.insert("traceparent", parent.parse()?);
/// headers.insert("tracestate", "congo=t61rcWkgMzE".parse()?);
///
/// let caller = trace_context::extract(&headers).unwrap();
/// assert_eq!(caller.span_id().to_string(), "b7ad6b7169203331");
/// assert_eq!(caller.trace_state().get("congo"), Some("t61rcWkgMzE"));
/// assert!(caller.is_remote());
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn extract(carrier: &(impl Extract + ?Sized)) -> Option<SpanContext> {
    read(&Fields::of(carrier), &mut Dropped::default())
}

#[inline]
pub(super) fn read(fields: &Fields<'_>, dropped: &mut Dropped) -> Option<SpanContext> {
    if fields.lacks(Field::TraceParent) {
        return read_trace_id(fields, dropped);
    }
    let Some(line) = fields.only(Field::TraceParent) else {
        dropped.note("traceparent", "more than one line", 1);
        return None;
    };
    let Some((trace_id, span_id, flags)) = parse(line.trimmed()) else {
        dropped.note("traceparent", "not a valid traceparent", 1);
        return None;
    };
    Some(SpanContext::remote(trace_id, span_id, flags, read_state(fields, dropped)))
}

#[inline]
fn read_state(fields: &Fields<'_>, dropped: &mut Dropped) -> TraceState {
    if fields.lacks(Field::TraceState) {
        return TraceState::empty();
    }
    let state = match fields.only(Field::TraceState) {
        Some(line) => TraceState::from_line(line),
        None => TraceState::from_lines(fields.all(Field::TraceState)),
    };
    match state {
        Ok((trace_state, left_out)) => {
            if left_out.repeated > 0 {
                dropped.note("tracestate", "the same key twice", left_out.repeated);
            }
            if left_out.too_long > 0 {
                dropped.note("tracestate", "members beyond 512 characters", left_out.too_long);
            }
            trace_state
        }
        Err(error) => {
            dropped.note("tracestate", error.reason(), 1);
            TraceState::empty()
        }
    }
}

/// `version "-" trace-id "-" parent-id "-" trace-flags`, and for a later version whatever comes
/// behind another dash (section "Versioning of traceparent").
#[inline]
fn parse(line: &[u8]) -> Option<(TraceId, SpanId, TraceFlags)> {
    let (fields, rest) = line.split_first_chunk::<55>()?;
    // All digits at once, filled up to whole vectors: that halves what they cost one by one.
    let mut digits = [b'0'; 64];
    digits[..32].copy_from_slice(&fields[3..35]);
    digits[32..48].copy_from_slice(&fields[36..52]);
    digits[48..52].copy_from_slice(&[fields[0], fields[1], fields[53], fields[54]]);
    let bytes: [u8; 32] = decode_hex(&digits)?;
    let (trace_id, bytes) = bytes.split_first_chunk()?;
    let (span_id, bytes) = bytes.split_first_chunk()?;
    let (trace_id, span_id) = (TraceId::from_bytes(*trace_id), SpanId::from_bytes(*span_id));
    let (version, flags) = (bytes[0], bytes[1]);
    let end = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest[0] == b'-',
    };
    let dashes = [fields[2], fields[35], fields[52]] == *b"---";
    let valid = end && dashes && trace_id.is_valid() && span_id.is_valid();
    valid.then_some((trace_id, span_id, TraceFlags::from_bits(flags)))
}

#[cold]
fn read_trace_id(fields: &Fields<'_>, dropped: &mut Dropped) -> Option<SpanContext> {
    if fields.lacks(Field::TraceId) {
        return None;
    }
    let only = fields.only(Field::TraceId);
    let Some(id) = only.and_then(|line| TraceId::from_hex(line.trimmed())) else {
        dropped.note("x-trace-id", "not one line of 32 hexadecimal digits", 1);
        return None;
    };
    Some(SpanContext::remote(id, SpanId::random(), TraceFlags::SAMPLED, TraceState::empty()))
}

/// Puts the `traceparent` among the values; nothing of what is no span.
#[inline]
pub(super) fn compose(span: &SpanContext, values: &mut HeaderValues) -> Option<Place> {
    if !span.is_valid() {
        return None;
    }
    // All digits at once, as in `parse`.
    let (mut bytes, mut digits) = ([0; 32], [0; 64]);
    bytes[..16].copy_from_slice(&span.trace_id().to_bytes());
    bytes[16..24].copy_from_slice(&span.span_id().to_bytes());
    bytes[24] = span.flags().known().bits();
    encode_hex(&bytes, &mut digits);
    let mut line = *b"00-00000000000000000000000000000000-0000000000000000-00";
    line[3..35].copy_from_slice(&digits[..32]);
    line[36..52].copy_from_slice(&digits[32..48]);
    line[53..].copy_from_slice(&digits[48..50]);
    values.push(&line)
}

/// Adds the `traceparent` that was composed of `span`, its `tracestate`, and `x-trace-id` where it is asked for.
#[inline]
pub(super) fn append(
    composed: Option<Place>,
    mut shared: Shared,
    span: &SpanContext,
    with_id: bool,
    carrier: &mut impl Inject,
) {
    let Some(place) = composed else { return };
    if with_id && let Some(id) = shared.header(place.start + 3..place.start + 35) {
        carrier.append(Field::TraceId.header(), id);
    }
    if let Some(parent) = shared.last(place) {
        carrier.append(Field::TraceParent.header(), parent);
    }
    if let Some(state) = span.trace_state().header() {
        carrier.append(Field::TraceState.header(), shared.marked(state.clone()));
    }
}

#[cfg(test)]
mod tests;
