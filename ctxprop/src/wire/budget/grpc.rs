//! The notation of `grpc-timeout`: a number of at most eight digits and a unit.
//!
//! [gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), "Requests".
//! In gRPC a malformed timeout fails the call, so here is also the reading that fails.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;

use super::parse_digits;
use crate::wire::carrier::Extract;
use crate::wire::fields::Fields;
use crate::wire::headers::Field;

const MAX_DIGITS: usize = 8;
const MAX_NUMBER: u64 = 99_999_999;
const DIGITS: &[u8; 10] = b"0123456789";

/// The units and how many nanoseconds they have, the finest first.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 3_600 * 1_000_000_000),
];

/// A `grpc-timeout` is not one line of 1 to 8 digits and one of `HMSmun`.
///
/// gRPC answers it with `INVALID_ARGUMENT`, plain HTTP with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidTimeout;

impl fmt::Display for InvalidTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("grpc-timeout is not one line of 1 to 8 digits and one of HMSmun")
    }
}

impl std::error::Error for InvalidTimeout {}

/// The timeout a gRPC call came with; `None` if it came without.
///
/// # Errors
///
/// The header is malformed or has more than one line. [`extract`](super::extract) ignores what
/// fails here.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use ctxprop::wire::budget;
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(budget::extract_grpc_timeout(&headers), Ok(None));
///
/// headers.append("grpc-timeout", "250m".parse()?);
/// let timeout = Duration::from_millis(250);
/// assert_eq!(budget::extract_grpc_timeout(&headers), Ok(Some(timeout)));
///
/// headers.append("grpc-timeout", "1S".parse()?);
/// assert!(budget::extract_grpc_timeout(&headers).is_err());
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn extract_grpc_timeout(
    carrier: &(impl Extract + ?Sized),
) -> Result<Option<Duration>, InvalidTimeout> {
    let fields = Fields::of(carrier);
    if fields.lacks(Field::GrpcTimeout) {
        return Ok(None);
    }
    let line = fields.only(Field::GrpcTimeout).ok_or(InvalidTimeout)?;
    parse_grpc_timeout(line.as_bytes()).map(Some)
}

/// Reads the value of a `grpc-timeout`, such as `250m`.
///
/// # Errors
///
/// It is not 1 to 8 digits and one of `HMSmun`, and nothing else.
///
/// # Examples
///
/// ```
/// use ctxprop::wire::budget::parse_grpc_timeout;
///
/// assert_eq!(parse_grpc_timeout(b"3M")?.as_secs(), 180);
/// assert!(parse_grpc_timeout(b"1.5S").is_err());
/// # Ok::<(), ctxprop::wire::budget::InvalidTimeout>(())
/// ```
pub fn parse_grpc_timeout(text: &[u8]) -> Result<Duration, InvalidTimeout> {
    let (unit, digits) = text.split_last().ok_or(InvalidTimeout)?;
    if digits.len() > MAX_DIGITS {
        return Err(InvalidTimeout);
    }
    let number = parse_digits(digits).ok_or(InvalidTimeout)?;
    // 99,999,999 hours are 3.6e11 seconds: nothing here overflows
    match unit {
        b'n' => Ok(Duration::from_nanos(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'S' => Ok(Duration::from_secs(number)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'H' => Ok(Duration::from_secs(number * 3_600)),
        _ => Err(InvalidTimeout),
    }
}

/// The timeout in the finest unit in which it has at most 8 digits, rounded down.
///
/// An expired budget is `0n`. What is more than 99,999,999 hours becomes that.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use ctxprop::wire::budget::format_grpc_timeout;
///
/// assert_eq!(format_grpc_timeout(Duration::from_micros(1_500)), "1500000n");
/// assert_eq!(format_grpc_timeout(Duration::from_millis(1_500)), "1500000u");
/// assert_eq!(format_grpc_timeout(Duration::ZERO), "0n");
/// ```
#[must_use]
pub fn format_grpc_timeout(timeout: Duration) -> String {
    let (number, unit) = scale(timeout);
    format!("{number}{}", char::from(unit))
}

pub(in crate::wire) fn parse(text: &[u8]) -> Option<Option<Duration>> {
    parse_grpc_timeout(text).ok().map(Some)
}

pub(in crate::wire) fn header_value(timeout: Duration) -> Option<HeaderValue> {
    written(timeout, |text| HeaderValue::from_bytes(text).ok())
}

/// The same, as text.
#[inline]
pub(super) fn written<T>(timeout: Duration, written: impl FnOnce(&[u8]) -> T) -> T {
    let (mut number, unit) = scale(timeout);
    // Its digits from the last to the first, and the unit behind them.
    let mut text = [unit; MAX_DIGITS + 1];
    let mut from = MAX_DIGITS;
    for (at, byte) in text.iter_mut().enumerate().take(MAX_DIGITS).rev() {
        *byte = DIGITS[(number % 10) as usize];
        (number, from) = (number / 10, at);
        if number == 0 {
            break;
        }
    }
    written(&text[from..])
}

fn scale(timeout: Duration) -> (u64, u8) {
    let nanos = timeout.as_nanos();
    let fits = |&(unit, size): &(u8, u64)| {
        let number = match u64::try_from(nanos) {
            Ok(nanos) => nanos / size,
            // Some 584 years: this division is a call.
            Err(_) => u64::try_from(nanos / u128::from(size)).unwrap_or(u64::MAX),
        };
        (number <= MAX_NUMBER).then_some((number, unit))
    };
    UNITS.iter().find_map(fits).unwrap_or((MAX_NUMBER, b'H'))
}
