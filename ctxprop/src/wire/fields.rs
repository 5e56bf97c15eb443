//! The fields that mean something, and the lines that one message has of them.
//!
//! A message is walked over once, because a walk costs less than looking up nine names of which
//! few are there.

use ::http::header::HeaderName;

use super::carrier::Extract;
use crate::line::Line;

/// The names of all fields that are read or written, in lower case.
///
/// For carriers that must ask for names, and for proxies that must not pass them on.
pub const FIELDS: [&str; 9] = [
    "traceparent",
    "tracestate",
    "x-trace-id",
    "baggage",
    "x-timeout-ms",
    "grpc-timeout",
    "connect-timeout-ms",
    "x-envoy-expected-rq-timeout-ms",
    "x-deadline",
];

static NAMES: [HeaderName; FIELDS.len()] = [
    HeaderName::from_static(FIELDS[0]),
    HeaderName::from_static(FIELDS[1]),
    HeaderName::from_static(FIELDS[2]),
    HeaderName::from_static(FIELDS[3]),
    HeaderName::from_static(FIELDS[4]),
    HeaderName::from_static(FIELDS[5]),
    HeaderName::from_static(FIELDS[6]),
    HeaderName::from_static(FIELDS[7]),
    HeaderName::from_static(FIELDS[8]),
];

/// One of [`FIELDS`], in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    TraceParent,
    TraceState,
    TraceId,
    Baggage,
    TimeoutMs,
    GrpcTimeout,
    ConnectTimeout,
    EnvoyTimeout,
    Deadline,
}

impl Field {
    /// The field of this name, in whatever case.
    #[inline]
    fn named(name: &str) -> Option<Field> {
        // constants, so that each comparison is one of a few words
        Some(match name {
            "traceparent" => Field::TraceParent,
            "tracestate" => Field::TraceState,
            "x-trace-id" => Field::TraceId,
            "baggage" => Field::Baggage,
            "x-timeout-ms" => Field::TimeoutMs,
            "grpc-timeout" => Field::GrpcTimeout,
            "connect-timeout-ms" => Field::ConnectTimeout,
            "x-envoy-expected-rq-timeout-ms" => Field::EnvoyTimeout,
            "x-deadline" => Field::Deadline,
            _ if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                return Field::named(&name.to_ascii_lowercase());
            }
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize]
    }

    pub(super) fn header(self) -> &'static HeaderName {
        &NAMES[self as usize]
    }
}

/// The lines of one message, by field.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    /// Which fields have a line, a bit each.
    present: u16,
    /// The first line of each, and the only one in most messages.
    first: [Option<Line<'a>>; FIELDS.len()],
    more: Vec<(Field, Line<'a>)>,
}

impl<'a> Fields<'a> {
    #[inline]
    pub(super) fn of(carrier: &'a (impl Extract + ?Sized)) -> Self {
        let mut fields = Self::default();
        for (name, line) in carrier.lines() {
            let Some(field) = Field::named(name) else { continue };
            if fields.lacks(field) {
                fields.present |= 1 << field as u16;
                fields.first[field as usize] = Some(line);
            } else {
                fields.more.push((field, line));
            }
        }
        fields
    }

    /// Whether there is no line of the field.
    #[inline]
    pub(super) fn lacks(&self, field: Field) -> bool {
        self.lacks_all(&[field])
    }

    /// Whether there is no line of any of them.
    #[inline]
    pub(super) fn lacks_all(&self, fields: &[Field]) -> bool {
        self.present & fields.iter().fold(0, |mask, field| mask | 1 << *field as u16) == 0
    }

    /// The line of the field, where there is exactly one.
    #[inline]
    pub(super) fn only(&self, field: Field) -> Option<Line<'a>> {
        self.first[field as usize].filter(|_| self.more_of(field).next().is_none())
    }

    /// All lines of the field, in order.
    pub(super) fn all(&self, field: Field) -> impl Iterator<Item = Line<'a>> + Clone {
        self.first[field as usize].into_iter().chain(self.more_of(field))
    }

    #[inline]
    fn more_of(&self, field: Field) -> impl Iterator<Item = Line<'a>> + Clone {
        self.more.iter().filter(move |(of, _)| *of == field).map(|(_, line)| *line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name_and_has_it() {
        for (index, name) in FIELDS.into_iter().enumerate() {
            for name in [name.to_owned(), name.to_ascii_uppercase()] {
                let field = Field::named(&name).unwrap();
                assert_eq!((field as usize, field.name()), (index, FIELDS[index]));
                assert_eq!(field.header(), FIELDS[index]);
            }
            assert_eq!(Field::named(&format!("{name}x")), None);
        }
        assert_eq!(Field::named(""), None);
    }
}
