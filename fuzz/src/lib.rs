//! What must hold whatever bytes come in. Each target under `fuzz_targets/` feeds one of these checks.
//!
//! An input is text with a header value a line, so that a seed is readable and several lines of one header
//! come by themselves. A line that no transport would hand on (a control character in it) is left out.

pub mod baggage;
pub mod budget;
pub mod headers;
pub mod host;
pub mod trace;

use http::{HeaderMap, HeaderValue};

/// The header `name`, with a value for each line of the input.
pub fn lines(name: &'static str, data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    headers
}

/// What we send is what every hop can take: visible ASCII, spaces and tabs, and no more than `max` bytes.
fn assert_can_be_sent(value: &HeaderValue, max: usize) {
    assert!(value.to_str().is_ok(), "not ASCII: {value:?}");
    assert!(value.len() <= max, "{} bytes: {value:?}", value.len());
}
