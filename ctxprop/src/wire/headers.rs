//! The one table of headers: all that is read or written, each with its name, its group, and how it travels.
//!
//! Whatever must know which headers there are asks here: the reader of a message ([`fields`](super::fields)), the
//! formats and their defaults, the variables of processes, what a client must take away from whom, the table of the
//! docs, and the tests.

use std::time::Duration;

use ::http::HeaderValue;
use ::http::header::HeaderName;

use super::budget::{self, grpc};

/// What a header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Group {
    /// Where the sender stands in its trace.
    Trace,
    /// Who asks: users, tenants.
    Baggage,
    /// How long the sender will wait.
    Budget,
}

/// A header that is read or written: a row of [`HEADERS`].
#[derive(Debug)]
pub struct Header {
    name: HeaderName,
    group: Group,
    /// The variable that tells it to a child process; none tells a number that counts from whenever it is read.
    pub(super) variable: Option<&'static str>,
    pub(super) by_default: bool,
    pub(super) relative: Option<Relative>,
}

impl Header {
    /// Its name, in lower case.
    #[must_use]
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }

    /// What it tells.
    #[must_use]
    pub const fn group(&self) -> Group {
        self.group
    }

    /// Whether the default [`Formats`](super::Formats) write it.
    #[must_use]
    pub const fn is_written_by_default(&self) -> bool {
        self.by_default
    }
}

/// How a budget is told that counts from the arrival of the message.
#[derive(Debug)]
pub(super) struct Relative {
    /// `None` where it is malformed, `Some(None)` where it says that there is no limit.
    pub(super) parse: fn(&[u8]) -> Option<Option<Duration>>,
    /// What remains, rounded down.
    pub(super) write: fn(Duration) -> Option<HeaderValue>,
}

/// Makes of each row a [`Field`], and of all of them the tables by name and by number.
macro_rules! headers {
    ($($field:ident {
        name: $name:literal, group: $group:ident, by_default: $by_default:literal, $($rest:tt)*
    })*) => {
        /// One of [`HEADERS`], in their order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field { $($field),* }

        /// The names of all fields that are read or written, in lower case.
        ///
        /// For carriers that must ask for names, and for proxies that must not pass them on. [`HEADERS`] says more of
        /// each.
        pub const FIELDS: [&str; COUNT] = [$($name),*];

        const COUNT: usize = [$(Field::$field),*].len();

        pub(super) const ALL: [Field; COUNT] = [$(Field::$field),*];

        /// All headers that are read or written.
        ///
        /// # Examples
        ///
        /// What a proxy takes out of a stranger's request:
        ///
        /// ```
        /// use ctxprop::wire::{Group, HEADERS};
        /// use http::HeaderMap;
        ///
        /// let mut headers = HeaderMap::new();
        /// headers.insert("baggage", "user.id=7".parse()?);
        /// headers.insert("grpc-timeout", "5S".parse()?);
        /// for header in HEADERS.iter().filter(|header| header.group() == Group::Baggage) {
        ///     headers.remove(header.name());
        /// }
        /// assert_eq!(headers.len(), 1);
        /// # Ok::<(), http::header::InvalidHeaderValue>(())
        /// ```
        pub static HEADERS: [Header; COUNT] = [$(
            Header {
                name: HeaderName::from_static($name),
                group: Group::$group,
                by_default: $by_default,
                $($rest)*
            }
        ),*];

        impl Field {
            /// Names are constants here, so that each comparison is one of a few words.
            #[inline]
            pub(super) fn named_exactly(name: &str) -> Option<Field> {
                match name {
                    $($name => Some(Field::$field),)*
                    _ => None,
                }
            }

            /// A constant in each place where the field is one, so that nothing is cloned.
            #[inline]
            pub(super) fn header(self) -> HeaderName {
                match self {
                    $(Field::$field => const { HeaderName::from_static($name) }),*
                }
            }

            const fn group(self) -> Group {
                match self {
                    $(Field::$field => Group::$group),*
                }
            }

            const fn is_written_by_default(self) -> bool {
                match self {
                    $(Field::$field => $by_default),*
                }
            }
        }
    };
}

headers! {
    TraceParent {
        name: "traceparent", group: Trace, by_default: true,
        variable: Some("TRACEPARENT"), relative: None,
    }
    TraceState {
        name: "tracestate", group: Trace, by_default: true,
        variable: Some("TRACESTATE"), relative: None,
    }
    TraceId {
        name: "x-trace-id", group: Trace, by_default: false,
        variable: Some("X_TRACE_ID"), relative: None,
    }
    Baggage {
        name: "baggage", group: Baggage, by_default: true,
        variable: Some("BAGGAGE"), relative: None,
    }
    TimeoutMs {
        name: "x-timeout-ms", group: Budget, by_default: true,
        variable: None,
        relative: Some(Relative { parse: budget::parse_timeout_ms, write: budget::millis }),
    }
    GrpcTimeout {
        name: "grpc-timeout", group: Budget, by_default: false,
        variable: None,
        relative: Some(Relative { parse: grpc::parse, write: grpc::header_value }),
    }
    ConnectTimeout {
        name: "connect-timeout-ms", group: Budget, by_default: false,
        variable: None,
        relative: Some(Relative { parse: budget::parse_connect, write: budget::connect_millis }),
    }
    EnvoyTimeout {
        name: "x-envoy-expected-rq-timeout-ms", group: Budget, by_default: false,
        variable: None,
        relative: Some(Relative { parse: budget::parse_envoy, write: budget::millis }),
    }
    Deadline {
        name: "x-deadline", group: Budget, by_default: true,
        variable: Some("X_DEADLINE"), relative: None,
    }
}

/// A bit for each length that a name has.
const LENGTHS: u64 = {
    let (mut lengths, mut index) = (0, 0);
    while index < COUNT {
        // One beyond 63 does not compile.
        lengths |= 1 << FIELDS[index].len();
        index += 1;
    }
    lengths
};

/// The length of the longest name.
const LONGEST: usize = LENGTHS.ilog2() as usize;

impl Field {
    /// The field of this name, in whatever case.
    #[inline]
    pub(super) fn named(name: &str) -> Option<Field> {
        // Most headers mean something to others, and of most of those the length tells it.
        if name.len() > LONGEST || LENGTHS >> name.len() & 1 == 0 {
            return None;
        }
        let found = Field::named_exactly(name);
        if found.is_none() && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Field::named_exactly(&name.to_ascii_lowercase());
        }
        found
    }

    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize]
    }

    pub(super) fn row(self) -> &'static Header {
        &HEADERS[self as usize]
    }
}

/// Some of [`FIELDS`]: for carriers of this crate that find out at once which of them they have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct FieldSet(u16);

impl FieldSet {
    /// What is written unless somebody says otherwise.
    pub(super) const BY_DEFAULT: FieldSet = {
        let (mut set, mut index) = (0, 0);
        while index < COUNT {
            if ALL[index].is_written_by_default() {
                set |= 1 << index;
            }
            index += 1;
        }
        FieldSet(set)
    };

    pub(super) const fn of(group: Group) -> FieldSet {
        let (mut set, mut index) = (0, 0);
        while index < COUNT {
            if ALL[index].group() as u8 == group as u8 {
                set |= 1 << index;
            }
            index += 1;
        }
        FieldSet(set)
    }

    #[inline]
    pub(super) const fn has(self, field: Field) -> bool {
        self.0 & 1 << field as u16 != 0
    }

    #[inline]
    pub(super) const fn with(self, field: Field, on: bool) -> FieldSet {
        FieldSet(if on { self.0 | 1 << field as u16 } else { self.0 & !(1 << field as u16) })
    }

    #[inline]
    pub(super) const fn and(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 | other.0)
    }

    #[inline]
    pub(super) const fn common(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 & other.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Field> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let index = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            ALL.get(index).copied()
        })
    }
}

#[cfg(test)]
mod tests;
