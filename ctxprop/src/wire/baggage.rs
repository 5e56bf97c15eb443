//! The header `baggage`: what of it to take, and how to send it on.
//!
//! [W3C Baggage](https://www.w3.org/TR/baggage/), section 3.2. Where a member begins and ends is
//! `crate::baggage`'s grammar; nothing is decoded here.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use super::{Dropped, append, set};
use crate::baggage::{
    BaggageMap, Item, LineBuilder, Lines, MAX_BAGGAGE_BYTES, MAX_BAGGAGE_MEMBERS, MAX_LINE, scan,
};

static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// What the caller wants to travel on; empty if the caller sent nothing, or nothing valid.
///
/// All lines together are one list. A malformed member is left out, and only that one. Beyond
/// [`MAX_BAGGAGE_MEMBERS`] members or [`MAX_BAGGAGE_BYTES`] bytes, commas and white space included,
/// whole members are left out, each that does not fit beside those before it. Lines that need no
/// such change, and are short enough to be sent, are kept and re-sent byte for byte.
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
pub fn extract(headers: &HeaderMap) -> BaggageMap {
    read(headers, &mut Dropped::default())
}

pub(super) fn read(headers: &HeaderMap, dropped: &mut Dropped) -> BaggageMap {
    let lines = headers.get_all(&BAGGAGE);
    let kept = if keep_as_is(&lines) { clone_all(&lines) } else { rebuild(&lines, dropped) };
    kept.map_or(BaggageMap::empty(), BaggageMap::received)
}

/// Whether every line is well-formed and short enough, and all of them are within limits.
fn keep_as_is<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    let (mut members, mut bytes) = (0, 0);
    for line in lines.into_iter().map(HeaderValue::as_bytes) {
        bytes += line.len() + 1;
        if line.len() > MAX_LINE || bytes > MAX_BAGGAGE_BYTES + 1 {
            return false;
        }
        let mut at = 0;
        while at <= line.len() {
            let (item, next) = scan(line, at);
            members += 1;
            if !matches!(item, Item::Member(_)) || members > MAX_BAGGAGE_MEMBERS {
                return false;
            }
            at = next;
        }
    }
    true
}

fn clone_all<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Lines> {
    let mut lines = lines.into_iter();
    let first = lines.next()?.clone();
    match lines.next() {
        None => Some(Lines::One(first)),
        Some(second) => {
            let rest = lines.cloned();
            Some(Lines::Many([first, second.clone()].into_iter().chain(rest).collect()))
        }
    }
}

/// Copies the members that are valid and fit, each as it came but for the white space around it.
fn rebuild<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    dropped: &mut Dropped,
) -> Option<Lines> {
    let mut kept = LineBuilder::default();
    let (mut members, mut bytes, mut malformed, mut beyond) = (0, 0, 0, 0);
    for line in lines {
        let (sensitive, line) = (line.is_sensitive(), line.as_bytes());
        let mut at = 0;
        while at <= line.len() {
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

/// Writes the map, in as many lines as it needs, or removes the header.
pub(super) fn write(map: Option<&BaggageMap>, headers: &mut HeaderMap) {
    let mut lines = map.map_or(&[] as &[_], BaggageMap::header_lines).iter();
    set(headers, &BAGGAGE, lines.next().cloned());
    for line in lines {
        append(headers, &BAGGAGE, line.clone());
    }
}

#[cfg(test)]
mod tests;
