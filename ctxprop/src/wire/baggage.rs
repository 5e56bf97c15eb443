//! The header `baggage`: what of it to take, and how to send it on.
//!
//! [W3C Baggage](https://www.w3.org/TR/baggage/), section 3.2. Where a member begins and ends is
//! `crate::baggage`'s grammar; nothing is decoded here.

use super::Dropped;
use super::carrier::{Extract, Inject};
use super::fields::Fields;
use super::headers::Field;
use crate::baggage::{
    BaggageMap, Item, LineBuilder, Lines, MAX_BAGGAGE_BYTES, MAX_BAGGAGE_MEMBERS, MAX_LINE,
    count_members, is_well_formed, next_comma, scan,
};
use crate::line::Line;

/// What the caller wants to travel on; empty if the caller sent nothing, or nothing valid.
///
/// All lines together are one list, and are sent on as one, because not everybody reads more than
/// the first. A malformed member is left out, and only that one. Beyond [`MAX_BAGGAGE_MEMBERS`]
/// members or [`MAX_BAGGAGE_BYTES`] bytes, commas included, whole members are left out, each that
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
        None => rebuild(fields.all(Field::Baggage), |_| true, dropped),
    };
    kept.map_or(BaggageMap::empty(), BaggageMap::received)
}

/// The members with these keys. The others are neither checked nor counted, so that a stranger's cost a comparison and
/// a look for the next comma.
pub(super) fn read_keys<K: AsRef<str>>(
    fields: &Fields<'_>,
    keys: &[K],
    dropped: &mut Dropped,
) -> BaggageMap {
    if fields.lacks(Field::Baggage) || keys.is_empty() {
        return BaggageMap::empty();
    }
    let is_wanted = |member: &[u8]| keys.iter().any(|key| has_key(member, key.as_ref().as_bytes()));
    let kept = rebuild(fields.all(Field::Baggage), is_wanted, dropped);
    kept.map_or(BaggageMap::empty(), BaggageMap::received)
}

#[inline]
fn skip_white(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Whether a member that begins here has this key, if it is one.
fn has_key(member: &[u8], key: &[u8]) -> bool {
    // What is behind it first, since few keys are as long.
    matches!(member.get(key.len()), Some(b'=' | b' ' | b'\t')) && member.starts_with(key)
}

/// Whether the line can be sent on as it is: well-formed, short enough, and within limits.
#[inline]
fn is_fit(line: &[u8]) -> bool {
    // the shortest member and its comma are three bytes
    let few = || line.len() < 3 * MAX_BAGGAGE_MEMBERS || count_members(line) <= MAX_BAGGAGE_MEMBERS;
    line.len() <= MAX_LINE && is_well_formed(line) && few()
}

/// Copies the members that are wanted, valid and fit, each as it came but for the white space around it.
#[cold]
fn rebuild<'a>(
    lines: impl Iterator<Item = Line<'a>>,
    is_wanted: impl Fn(&[u8]) -> bool,
    dropped: &mut Dropped,
) -> Option<Lines> {
    let mut kept = LineBuilder::default();
    let (mut members, mut bytes, mut malformed, mut beyond) = (0, 0, 0, 0);
    for line in lines {
        let (sensitive, line) = (line.is_sensitive(), line.as_bytes());
        let mut at = 0;
        while let Some(rest) = line.get(at..) {
            if !is_wanted(skip_white(rest)) {
                at = next_comma(line, at) + 1;
                continue;
            }
            let (item, next) = scan(line, at);
            at = next;
            match item {
                Item::Empty => {}
                Item::Malformed => malformed += 1,
                Item::Member(member) => {
                    let cost = member.all.len() + 1;
                    if members == MAX_BAGGAGE_MEMBERS || bytes + cost > MAX_BAGGAGE_BYTES + 1 {
                        beyond += 1;
                        continue;
                    }
                    (members, bytes) = (members + 1, bytes + cost);
                    kept.member(member.all.len(), sensitive).extend_from_slice(&line[member.all]);
                }
            }
        }
    }
    if malformed > 0 {
        dropped.note("baggage", "malformed member", malformed);
    }
    if beyond > 0 {
        dropped.note("baggage", "beyond 64 members or 8192 bytes", beyond);
    }
    kept.finish()
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
