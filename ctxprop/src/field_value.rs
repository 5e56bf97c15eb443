//! One received value, wherever it came from: what lets the parsers keep headers without a copy and
//! read message brokers' text too.

use http::HeaderValue;

/// One value in a carrier, borrowed.
///
/// From a [`HeaderValue`] it is kept without a copy, and re-sent as it is; from text and bytes it
/// is copied where it is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct FieldValue<'a> {
    bytes: &'a [u8],
    header: Option<&'a HeaderValue>,
}

impl<'a> FieldValue<'a> {
    /// The value without the white space around it, which is not part of it (RFC 9110, section
    /// 5.5). Transports leave it out; carriers that were filled by hand may not.
    #[inline]
    pub(crate) fn trimmed(self) -> &'a [u8] {
        let mut rest = self.bytes;
        while let [b' ' | b'\t', tail @ ..] | [tail @ .., b' ' | b'\t'] = rest {
            rest = tail;
        }
        rest
    }

    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The header that it is the value of, if it is one.
    pub(crate) fn header(self) -> Option<&'a HeaderValue> {
        self.header
    }

    pub(crate) fn is_sensitive(self) -> bool {
        self.header.is_some_and(HeaderValue::is_sensitive)
    }

    /// The value as a header has it; `None` where none could be.
    #[inline]
    pub(crate) fn to_header(self) -> Option<HeaderValue> {
        match self.header {
            Some(header) => Some(header.clone()),
            None => HeaderValue::from_bytes(self.bytes).ok(),
        }
    }
}

impl<'a> From<&'a HeaderValue> for FieldValue<'a> {
    #[inline]
    fn from(header: &'a HeaderValue) -> Self {
        Self { bytes: header.as_bytes(), header: Some(header) }
    }
}

impl<'a> From<&'a [u8]> for FieldValue<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, header: None }
    }
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::from(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_value_is_not_part_of_it() {
        for (value, trimmed) in
            [(" \ta b\t ", "a b"), ("", ""), (" ", ""), ("a", "a"), ("\t\t", "")]
        {
            assert_eq!(FieldValue::from(value).trimmed(), trimmed.as_bytes());
        }
    }

    #[test]
    fn a_header_is_shared_and_text_is_checked() {
        let mut header = HeaderValue::from_static("a");
        header.set_sensitive(true);
        let line = FieldValue::from(&header);
        assert!(line.is_sensitive() && line.to_header().is_some_and(|it| it.is_sensitive()));
        assert_eq!(FieldValue::from("a").to_header(), Some(HeaderValue::from_static("a")));
        assert_eq!(FieldValue::from("a\r\nb: c").to_header(), None);
    }
}
