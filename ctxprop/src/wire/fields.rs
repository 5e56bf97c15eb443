//! The fields that mean something, and the lines that one message has of them.
//!
//! A message is walked over once, because a walk costs less than looking up nine names of which
//! few are there.

use std::slice;

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
    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize]
    }

    pub(super) fn header(self) -> &'static HeaderName {
        &NAMES[self as usize]
    }
}

/// The lines of one message, by field.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>([Lines<'a>; FIELDS.len()]);

impl<'a> Fields<'a> {
    pub(super) fn of(carrier: &'a (impl Extract + ?Sized)) -> Self {
        let mut fields = Self::default();
        for (name, line) in carrier.lines() {
            if let Some(index) = position(name) {
                fields.0[index].push(line);
            }
        }
        fields
    }

    pub(super) fn get(&self, field: Field) -> &Lines<'a> {
        &self.0[field as usize]
    }
}

/// Which field this is the name of, in whatever case.
fn position(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| {
        field.len() == name.len() && (*field == name || field.eq_ignore_ascii_case(name))
    })
}

/// The lines of one field, in order. One alone, which is what messages have, is kept in place.
#[derive(Debug, Default)]
pub(super) struct Lines<'a> {
    first: Option<Line<'a>>,
    rest: Vec<Line<'a>>,
}

impl<'a> Lines<'a> {
    fn push(&mut self, line: Line<'a>) {
        match self.first {
            None => self.first = Some(line),
            Some(_) => self.rest.push(line),
        }
    }

    /// The line, where there is exactly one.
    pub(super) fn only(&self) -> Option<Line<'a>> {
        self.first.filter(|_| self.rest.is_empty())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Line<'a>> + Clone {
        let rest: slice::Iter<'_, _> = self.rest.iter();
        self.first.into_iter().chain(rest.copied())
    }
}
