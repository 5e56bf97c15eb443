//! The header `baggage`: what of it to take, and how to send it on.
//!
//! [W3C Baggage](https://www.w3.org/TR/baggage/), section 3.2. Where a member begins and ends is
//! `crate::baggage`'s grammar; nothing is decoded here.

use tracing::level_filters::LevelFilter;

use super::Dropped;
use super::carrier::{Extract, Inject};
use super::fields::Fields;
use super::headers::Field;
use crate::baggage::{BaggageMap, LeftOut, Lines, is_fit, rebuild, rebuild_keys};
use crate::field_value::FieldValue;

/// What the caller wants to travel on; empty if the caller sent nothing, or nothing valid.
///
/// All lines together are one list, and are sent on as one, because not everybody reads more than
/// the first. A malformed member is left out, and only that one. Beyond [`MAX_BAGGAGE_MEMBERS`](crate::MAX_BAGGAGE_MEMBERS)
/// members or [`MAX_BAGGAGE_BYTES`](crate::MAX_BAGGAGE_BYTES) bytes, commas included, whole members are left out, each that
/// does not fit beside those before it. A single line that needs no change, and is short enough to
/// be sent, is kept and re-sent byte for byte.
///
/// # Examples
///
/// ```
/// use ctxprop::wire::baggage;
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// headers.append("baggage", "user.id=7, tenant=acme%20corp;region=eu".parse()?);
/// headers.append("baggage", "no value here, tier=gold".parse()?);
///
/// let map = baggage::extract(&headers);
/// assert_eq!(map.get("tenant"), Some("acme corp"));
/// assert_eq!(map.get("tier"), Some("gold"));
/// assert_eq!(map.len(), 3);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn extract(carrier: &(impl Extract + ?Sized)) -> BaggageMap {
    read(&Fields::of(carrier), &mut Dropped::default())
}

#[inline]
pub(super) fn read(fields: &Fields<'_>, dropped: &mut Dropped) -> BaggageMap {
    if fields.lacks(Field::Baggage) {
        return BaggageMap::empty();
    }
    let kept = match fields.only(Field::Baggage).filter(|line| is_fit(line.as_bytes())) {
        Some(line) => line.to_header().map(Lines::One),
        None => noted(rebuild(fields.all(Field::Baggage)), dropped),
    };
    kept.map_or(BaggageMap::empty(), BaggageMap::received)
}

/// The same. A line that nobody may ever look at is not checked before somebody does, unless somebody listens who is to be
/// told of what is malformed.
#[inline]
pub(super) fn read_when_asked(fields: &Fields<'_>, dropped: &mut Dropped) -> BaggageMap {
    if fields.lacks(Field::Baggage) {
        return BaggageMap::empty();
    }
    match fields.only(Field::Baggage).and_then(FieldValue::header) {
        Some(line) if LevelFilter::current() < LevelFilter::DEBUG => {
            BaggageMap::unchecked(line.clone())
        }
        _ => read(fields, dropped),
    }
}

/// The members with these keys. The others are neither checked nor counted, so that a stranger's cost next to nothing.
pub(super) fn read_keys<K: AsRef<str>>(
    fields: &Fields<'_>,
    keys: &[K],
    dropped: &mut Dropped,
) -> BaggageMap {
    if fields.lacks(Field::Baggage) || keys.is_empty() {
        return BaggageMap::empty();
    }
    let kept = noted(rebuild_keys(fields.all(Field::Baggage), keys), dropped);
    kept.map_or(BaggageMap::empty(), BaggageMap::received)
}

fn noted((kept, left_out): (Option<Lines>, LeftOut), dropped: &mut Dropped) -> Option<Lines> {
    dropped.0 += left_out.note();
    kept
}

impl LeftOut {
    /// Reports it, and says how many members it is.
    pub(crate) fn note(&self) -> usize {
        let mut dropped = Dropped::default();
        if self.malformed > 0 {
            dropped.note("baggage", "malformed member", self.malformed);
        }
        if self.beyond > 0 {
            dropped.note("baggage", "beyond 64 members or 8192 bytes", self.beyond);
        }
        dropped.0
    }
}

/// Writes the map, in as many lines as it needs.
#[inline]
pub(super) fn write(map: Option<&BaggageMap>, carrier: &mut impl Inject) {
    for line in map.map_or(&[] as &[_], BaggageMap::header_lines) {
        carrier.append(Field::Baggage.header(), line.clone());
    }
}

#[cfg(test)]
mod tests;
