//! Carriers: what a context is read from and written into.
//!
//! [`Extract`] and [`Inject`] are all that a transport needs to carry one. They are here for HTTP
//! headers, for the string maps and lists that message brokers have, and in [`Environment`] for
//! processes; for anything else they are a few lines, as in the examples.
//!
//! Nothing here knows what a field means.
//!
//! [`Environment`]: super::Environment

use std::collections::HashMap;
use std::hash::BuildHasher;

use ::http::header::HeaderName;
use ::http::{HeaderMap, HeaderValue};

use super::headers::{Field, FieldSet};
use crate::field_value::FieldValue;

/// Something that a context can be read from.
///
/// # Examples
///
/// The headers of a Kafka record, which are bytes:
///
/// ```
/// use ctxprop::wire::{Extract, Formats, FieldValue};
///
/// struct Record {
///     headers: Vec<(String, Vec<u8>)>,
/// }
///
/// impl Extract for Record {
///     fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
///         self.headers.iter().map(|(key, value)| (key.as_str(), FieldValue::from(value.as_slice())))
///     }
/// }
///
/// let record = Record { headers: vec![("Baggage".into(), b"tenant=acme".into())] };
/// let caller = Formats::queued().extract(&record);
/// assert_eq!(caller.baggage.get("tenant"), Some("acme"));
/// ```
pub trait Extract {
    /// Whether all names are in lower case, so that none has to be looked at twice.
    #[doc(hidden)]
    const LOWER_CASE: bool = false;

    /// All lines as name and value, those of one name in their order.
    ///
    /// Names may be in any case. Lines of other names may be among them or not: those that mean
    /// something are in [`FIELDS`](super::FIELDS).
    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)>;
}

/// Something that a context can be written into.
///
/// Names come in lower case. Values are printable ASCII.
///
/// # Examples
///
/// The headers of a Kafka record:
///
/// ```
/// use ctxprop::wire::{Formats, Inject};
/// use ctxprop::{Background, Ctx};
/// use http::HeaderValue;
/// use http::header::HeaderName;
///
/// #[derive(Default)]
/// struct Record {
///     headers: Vec<(String, Vec<u8>)>,
/// }
///
/// impl Inject for Record {
///     fn append(&mut self, name: HeaderName, line: HeaderValue) {
///         self.headers.push((name.to_string(), line.as_bytes().to_vec()));
///     }
///     fn remove(&mut self, name: &HeaderName) {
///         self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name.as_str()));
///     }
/// }
///
/// let mut record = Record::default();
/// let ctx = Ctx::background().child_span();
/// ctx.inject(&mut record, &Formats::queued())?;
/// assert_eq!(record.headers[0].0, "traceparent");
/// # Ok::<(), ctxprop::Cancelled>(())
/// ```
pub trait Inject {
    /// Adds a line behind those that the field has.
    ///
    /// A carrier that has one value a name joins them by a comma.
    fn append(&mut self, name: HeaderName, line: HeaderValue);

    /// Removes all lines of the field.
    fn remove(&mut self, name: &HeaderName);

    /// Removes all lines of all these fields.
    #[doc(hidden)]
    fn clear(&mut self, fields: FieldSet) {
        for field in fields.iter() {
            self.remove(field.row().name());
        }
    }

    /// Makes this the only line of the field.
    fn set(&mut self, name: HeaderName, line: HeaderValue) {
        self.remove(&name);
        self.append(name, line);
    }
}

impl Extract for HeaderMap {
    const LOWER_CASE: bool = true;

    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.iter().map(|(name, value)| (name.as_str(), FieldValue::from(value)))
    }
}

/// A map refuses beyond 24,576 headers, which no transport would send anyhow.
impl Inject for HeaderMap {
    #[inline]
    fn append(&mut self, name: HeaderName, line: HeaderValue) {
        drop(self.try_append(name, line));
    }

    #[inline]
    fn remove(&mut self, name: &HeaderName) {
        drop(HeaderMap::remove(self, name));
    }

    /// One walk over the names that are there costs less than looking up those that are not.
    #[inline]
    fn clear(&mut self, fields: FieldSet) {
        let named = self.keys().filter_map(|name| Field::named_exactly(name.as_str()));
        let there = named.fold(FieldSet::default(), |set, field| set.with(field, true));
        for field in there.common(fields).iter() {
            drop(HeaderMap::remove(self, field.row().name()));
        }
    }

    fn set(&mut self, name: HeaderName, line: HeaderValue) {
        drop(self.try_insert(name, line));
    }
}

/// A message that may have no headers at all.
impl<E: Extract> Extract for Option<E> {
    const LOWER_CASE: bool = E::LOWER_CASE;

    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.iter().flat_map(Extract::lines)
    }
}

/// Names that differ only in case are one field; their order is the map's.
impl<S: BuildHasher> Extract for HashMap<String, String, S> {
    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.iter().map(|(name, value)| (name.as_str(), FieldValue::from(value.as_str())))
    }
}

impl<S: BuildHasher> Inject for HashMap<String, String, S> {
    fn append(&mut self, name: HeaderName, line: HeaderValue) {
        let value = self.entry(name.as_str().to_owned()).or_default();
        if !value.is_empty() {
            value.push(',');
        }
        value.push_str(text(&line));
    }

    fn remove(&mut self, name: &HeaderName) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name.as_str()));
    }
}

impl Extract for Vec<(String, String)> {
    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.iter().map(|(name, value)| (name.as_str(), FieldValue::from(value.as_str())))
    }
}

impl Inject for Vec<(String, String)> {
    fn append(&mut self, name: HeaderName, line: HeaderValue) {
        self.push((name.as_str().to_owned(), text(&line).to_owned()));
    }

    fn remove(&mut self, name: &HeaderName) {
        self.retain(|(key, _)| !key.eq_ignore_ascii_case(name.as_str()));
    }
}

/// The value as text: all that is written here is ASCII.
pub(super) fn text(line: &HeaderValue) -> &str {
    line.to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
