//! Baggage written, sent as header lines and read on the other side.

#![allow(clippy::unwrap_used, dead_code, reason = "helpers of tests")]

use std::fmt::Debug;

use ctxprop::wire;
use ctxprop::{Baggage, BaggageError, BaggageMap};
use http::{HeaderMap, HeaderValue};

/// What arrives of what is sent.
pub(crate) fn sent(map: &BaggageMap) -> BaggageMap {
    let mut headers = HeaderMap::new();
    for line in map.header_lines() {
        headers.append("baggage", line.clone());
    }
    wire::baggage::extract(&headers)
}

pub(crate) fn received(line: &str) -> BaggageMap {
    let line = HeaderValue::from_str(line).unwrap();
    wire::baggage::extract(
        &[(http::HeaderName::from_static("baggage"), line)].into_iter().collect::<HeaderMap>(),
    )
}

pub(crate) fn written<B: Baggage>(value: &B) -> Result<BaggageMap, BaggageError> {
    let mut out = BaggageMap::builder();
    value.to_baggage(&mut out)?;
    Ok(out.build())
}

pub(crate) fn lines(map: &BaggageMap) -> Vec<&str> {
    map.header_lines().iter().map(|line| line.to_str().unwrap()).collect()
}

pub(crate) fn round_trip<B: Baggage + PartialEq + Debug>(value: &B) {
    assert_eq!(B::from_baggage(&sent(&written(value).unwrap())).as_ref(), Ok(value));
}
