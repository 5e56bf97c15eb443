//! The headers of NATS messages as a carrier, which only this crate may make them, since the trait is its own.

use async_nats::HeaderMap;
use http::HeaderValue;
use http::header::HeaderName;

use crate::line::Line;
use crate::wire::{Extract, Inject};

impl Extract for HeaderMap {
    fn lines(&self) -> impl Iterator<Item = (&str, Line<'_>)> {
        self.iter().flat_map(|(name, values)| {
            values.iter().map(move |value| (name.as_ref(), Line::from(value.as_str())))
        })
    }
}

/// NATS tells names apart by their case; what is replaced is replaced in whatever case it is.
impl Inject for HeaderMap {
    fn append(&mut self, name: HeaderName, line: HeaderValue) {
        // Printable ASCII, which NATS takes as it is.
        HeaderMap::append(self, name.as_str(), line.to_str().unwrap_or_default());
    }

    fn remove(&mut self, name: &HeaderName) {
        let named = |other: &str| other.eq_ignore_ascii_case(name.as_str());
        if !self.iter().any(|(other, _)| named(other.as_ref())) {
            return;
        }
        // It has no way to take one out.
        for (other, values) in
            std::mem::take(self).iter().filter(|(other, _)| !named((*other).as_ref()))
        {
            for value in values {
                HeaderMap::append(self, other.clone(), value.clone());
            }
        }
    }
}
