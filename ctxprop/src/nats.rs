//! The headers of NATS messages as a carrier, which only this crate may make them, since the trait is its own.

use async_nats::HeaderMap;
use http::HeaderValue;
use http::header::HeaderName;

use crate::field_value::FieldValue;
use crate::wire::{Extract, Inject};

impl Extract for HeaderMap {
    fn lines(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        self.iter().flat_map(|(name, values)| {
            values.iter().map(move |value| (name.as_ref(), FieldValue::from(value.as_str())))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Formats;
    use crate::{Background, Ctx};

    /// Through a broker it is `tests/tests/broker.rs`.
    #[test]
    fn what_somebody_set_by_hand_is_replaced_in_whatever_case_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        headers.insert("TraceParent", "stale");
        headers.append("Baggage", "tenant=other");
        headers.append("Baggage", "user.id=7");
        headers.append("Other", "1");
        headers.append("Other", "2");
        let ctx = Ctx::background().child_span();
        ctx.inject(&mut headers, &Formats::queued()).unwrap();
        assert_eq!(headers.len(), 2, "{headers:?}");
        let other: Vec<_> = headers.get_all("Other").map(|value| value.as_str()).collect();
        assert_eq!(other, ["1", "2"]);
        let (received, _canceller) =
            Ctx::background().with_incoming(Formats::queued().extract(&Some(headers)));
        assert_eq!(received.span().trace_id(), ctx.span().trace_id());
        assert!(received.baggage_map().is_empty());
        let nothing = Formats::queued().extract(&None::<HeaderMap>);
        assert!(nothing.span.is_none() && nothing.dropped() == 0);
    }
}
