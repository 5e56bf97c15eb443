//! [`HeaderValues`]: the values that are made anew for each hop, in one piece of memory that their headers share.

use bytes::{Buf as _, Bytes};
use http::HeaderValue;

/// The longest of each: a `traceparent`, whole milliseconds, a moment, the digits and the unit of gRPC.
const ROOM: usize = 55 + 11 + 30 + 9;

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

    /// The values, to be taken by their places; as `never_indexed` ones, or as any others.
    #[inline]
    pub(super) fn share(self, never_indexed: bool) -> Shared {
        let bytes = if self.len == 0 { Bytes::new() } else { Bytes::from_owner(self.bytes) };
        Shared { bytes, never_indexed }
    }
}

pub(super) struct Shared {
    bytes: Bytes,
    never_indexed: bool,
}

impl Shared {
    #[inline]
    pub(super) fn header(&self, place: Place) -> Option<HeaderValue> {
        Some(self.marked(HeaderValue::from_maybe_shared(self.bytes.slice(place)).ok()?))
    }

    /// The same, where no other is taken any more.
    #[inline]
    pub(super) fn last(&mut self, place: Place) -> Option<HeaderValue> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(place.end);
        bytes.advance(place.start.min(bytes.len()));
        Some(self.marked(HeaderValue::from_maybe_shared(bytes).ok()?))
    }

    /// One that is not among them, to be sent as they are.
    #[inline]
    pub(super) fn marked(&self, mut value: HeaderValue) -> HeaderValue {
        if self.never_indexed {
            value.set_sensitive(true);
        }
        value
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
        let mut shared = values.share(false);
        let header = |place: Option<Place>| place.and_then(|place| shared.header(place));
        assert_eq!(header(one), Some(HeaderValue::from_static("one")));
        assert_eq!(header(other), Some(HeaderValue::from_static("another")));
        assert_eq!(shared.last(3..10), Some(HeaderValue::from_static("another")));
        assert!(HeaderValues::new().share(false).bytes.is_empty());
    }

    #[test]
    fn all_of_them_are_marked_or_none_is() {
        for never_indexed in [false, true] {
            let mut values = HeaderValues::new();
            assert_eq!(values.push(b"one"), Some(0..3));
            let mut shared = values.share(never_indexed);
            let other = shared.marked(HeaderValue::from_static("other"));
            for value in [shared.header(0..1), shared.last(0..3), Some(other)] {
                assert_eq!(value.map(|value| value.is_sensitive()), Some(never_indexed));
            }
        }
    }
}
