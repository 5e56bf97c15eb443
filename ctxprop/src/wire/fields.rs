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
        let found = Field::named_exactly(name);
        if found.is_none() && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Field::named_exactly(&name.to_ascii_lowercase());
        }
        found
    }

    /// Names are constants here, so that each comparison is one of a few words.
    #[inline]
    fn named_exactly(name: &str) -> Option<Field> {
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
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize]
    }

    /// A constant in each place where the field is one, so that nothing is cloned.
    #[inline]
    pub(super) fn header(self) -> HeaderName {
        const fn name(field: Field) -> HeaderName {
            HeaderName::from_static(FIELDS[field as usize])
        }
        match self {
            Field::TraceParent => const { name(Field::TraceParent) },
            Field::TraceState => const { name(Field::TraceState) },
            Field::TraceId => const { name(Field::TraceId) },
            Field::Baggage => const { name(Field::Baggage) },
            Field::TimeoutMs => const { name(Field::TimeoutMs) },
            Field::GrpcTimeout => const { name(Field::GrpcTimeout) },
            Field::ConnectTimeout => const { name(Field::ConnectTimeout) },
            Field::EnvoyTimeout => const { name(Field::EnvoyTimeout) },
            Field::Deadline => const { name(Field::Deadline) },
        }
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
        fields.collect(carrier);
        fields
    }

    #[inline]
    pub(super) fn collect(&mut self, carrier: &'a (impl Extract + ?Sized)) {
        for (name, line) in carrier.lines() {
            let Some(field) = Field::named(name) else { continue };
            if self.lacks(field) {
                self.present |= 1 << field as u16;
                self.first[field as usize] = Some(line);
            } else {
                self.more.push((field, line));
            }
        }
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
