//! [`HeaderValues`]: the values that are made anew for each hop, in one piece of memory that their headers share.

use bytes::{Buf as _, Bytes};
use http::HeaderValue;

/// The longest of each: a `traceparent`, whole milliseconds, a moment.
const ROOM: usize = 55 + 11 + 30;

/// Values of ASCII, one after the other. A clone of one of them costs a count, and no memory.
pub(super) struct HeaderValues {
    bytes: [u8; ROOM],
    len: usize,
}

/// Where among them a value is.
pub(super) type Place = std::ops::Range<usize>;

impl HeaderValues {
    pub(super) fn new() -> Self {
        HeaderValues { bytes: [0; ROOM], len: 0 }
    }

    /// Adds a value. `None` where there is no room for it.
    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) -> Option<Place> {
        let place = self.len..self.len + value.len();
        self.bytes.get_mut(place.clone())?.copy_from_slice(value);
        self.len = place.end;
        Some(place)
    }

    /// The values, to be taken by their places.
    #[inline]
    pub(super) fn share(self) -> Shared {
        Shared(if self.len == 0 { Bytes::new() } else { Bytes::from_owner(self.bytes) })
    }
}

pub(super) struct Shared(Bytes);

impl Shared {
    #[inline]
    pub(super) fn header(&self, place: Place) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(self.0.slice(place)).ok()
    }

    /// The same, where no other is taken any more.
    #[inline]
    pub(super) fn last(mut self, place: Place) -> Option<HeaderValue> {
        self.0.truncate(place.end);
        self.0.advance(place.start.min(self.0.len()));
        HeaderValue::from_maybe_shared(self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_at_its_place_and_what_has_no_room_is_told() {
        let mut values = HeaderValues::new();
        let (one, other) = (values.push(b"one"), values.push(b"another"));
        assert_eq!(values.push(&[b'x'; ROOM]), None);
        let shared = values.share();
        let header = |place: Option<Place>| place.and_then(|place| shared.header(place));
        assert_eq!(header(one), Some(HeaderValue::from_static("one")));
        assert_eq!(header(other), Some(HeaderValue::from_static("another")));
        assert_eq!(shared.last(3..10), Some(HeaderValue::from_static("another")));
        assert!(HeaderValues::new().share().0.is_empty());
    }
}
