//! How long the caller will wait, in the headers of several conventions.
//!
//! Relative ones (`x-timeout-ms`, `grpc-timeout`, `connect-timeout-ms`,
//! `x-envoy-expected-rq-timeout-ms`) count from the arrival of the request; they are here. The
//! absolute `x-deadline` depends on two clocks and has its own file, and so has the notation of
//! gRPC.
//!
//! No hop is ever granted more than remains: every rounding is down.

mod deadline;
mod grpc;

use std::time::{Duration, SystemTime};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use super::{Dropped, set, trim};

pub use grpc::{InvalidTimeout, extract_grpc_timeout, format_grpc_timeout, parse_grpc_timeout};

/// The longest budget that is read or written: 365 days. Longer ones are taken as this.
///
/// It is far beyond any request and far below what makes `Instant + Duration` overflow.
pub const MAX_BUDGET: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What is less than the least that can be written has expired.
pub(super) const MIN_BUDGET: Duration = Duration::from_millis(1);

/// The most digits of `connect-timeout-ms` (Connect protocol, "Unary-Request").
const CONNECT_DIGITS: usize = 10;
const CONNECT_MAX: u64 = 9_999_999_999;

static X_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-timeout-ms");
static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
static CONNECT_TIMEOUT_MS: HeaderName = HeaderName::from_static("connect-timeout-ms");
static ENVOY_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// A header whose value counts from its arrival.
struct Relative {
    name: &'static str,
    /// `None` where it is malformed, `Some(None)` where it says that there is no limit.
    parse: fn(&[u8]) -> Option<Option<Duration>>,
}

static RELATIVE: [Relative; 4] = [
    Relative { name: "x-timeout-ms", parse: |text| parse_millis(text).map(Some) },
    Relative { name: "grpc-timeout", parse: |text| parse_grpc_timeout(text).ok().map(Some) },
    Relative {
        name: "connect-timeout-ms",
        parse: |text| {
            (text.len() <= CONNECT_DIGITS).then(|| parse_millis(text)).flatten().map(Some)
        },
    },
    Relative {
        name: "x-envoy-expected-rq-timeout-ms",
        // Envoy has no other word for "none" than 0, and sends 1 where the time is up
        parse: |text| parse_millis(text).map(|it| Some(it).filter(|it| !it.is_zero())),
    },
];

/// How long the caller will wait from now on; zero if no longer, `None` if it did not say.
///
/// Of several relative headers, and of several lines of one, the smallest counts. Malformed ones
/// are left out. [`MAX_BUDGET`] is the most there is, however large the number.
///
/// `x-deadline` counts where no relative header was valid: any date and time of RFC 3339, with a
/// fraction of any length, as far ahead as our clock has it. If it passed up to 60 s ago, the
/// budget is zero. If it passed longer ago, or lies more than [`MAX_BUDGET`] and 60 s ahead, the
/// two clocks disagree and it is left out: no request is that old, or waits that long.
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
/// assert_eq!(budget::extract(&headers), None);
///
/// headers.insert("x-timeout-ms", "1500".parse()?);
/// headers.insert("grpc-timeout", "1S".parse()?);
/// assert_eq!(budget::extract(&headers), Some(Duration::from_secs(1)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn extract(headers: &HeaderMap) -> Option<Duration> {
    read(headers, SystemTime::now, &mut Dropped::default())
}

pub(super) fn read(
    headers: &HeaderMap,
    now: impl FnOnce() -> SystemTime,
    dropped: &mut Dropped,
) -> Option<Duration> {
    // One walk over all headers costs less than looking up five names, of which few are there.
    let (mut least, mut malformed, mut deadline) = (None, [0; RELATIVE.len()], false);
    for (name, value) in headers {
        let name = name.as_str();
        if let Some(index) = RELATIVE.iter().position(|header| header.name == name) {
            match (RELATIVE[index].parse)(trim(value)) {
                Some(budget) => least = smaller(least, budget),
                None => malformed[index] += 1,
            }
        }
        deadline |= name == deadline::NAME;
    }
    for (header, count) in RELATIVE.iter().zip(malformed).filter(|(_, count)| *count > 0) {
        dropped.note(header.name, "not a valid timeout", count);
    }
    match least {
        Some(budget) => Some(budget.min(MAX_BUDGET)),
        None if deadline => deadline::read(headers, now, dropped),
        None => None,
    }
}

fn smaller(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// `1*DIGIT`, nothing else; any number that is too large is as good as the largest.
fn parse_millis(text: &[u8]) -> Option<Duration> {
    parse_digits(text).map(Duration::from_millis)
}

fn parse_digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

/// Which relative headers are written beside `x-timeout-ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extra {
    pub(super) grpc: bool,
    pub(super) connect: bool,
    pub(super) envoy: bool,
}

/// Writes what remains, which is at least [`MIN_BUDGET`], or removes what other budget there was.
pub(super) fn write(
    remaining: Option<Duration>,
    now: impl FnOnce() -> SystemTime,
    extra: Extra,
    headers: &mut HeaderMap,
) {
    let remaining = remaining.map(|remaining| remaining.min(MAX_BUDGET));
    // fits: MAX_BUDGET has eleven digits of milliseconds
    let millis = remaining.map(|remaining| remaining.as_millis() as u64);
    set(headers, &X_TIMEOUT_MS, millis.and_then(decimal));
    deadline::write(remaining, now, headers);
    if extra.grpc {
        set(headers, &GRPC_TIMEOUT, remaining.and_then(grpc::header_value));
    }
    if extra.connect {
        let millis = millis.map(|millis| millis.min(CONNECT_MAX));
        set(headers, &CONNECT_TIMEOUT_MS, millis.and_then(decimal));
    }
    if extra.envoy {
        set(headers, &ENVOY_TIMEOUT_MS, millis.and_then(decimal));
    }
}

fn decimal(number: u64) -> Option<HeaderValue> {
    let mut text = [0; 20];
    let mut rest = number;
    let mut start = text.len();
    loop {
        start -= 1; // 20 digits hold any u64
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return HeaderValue::from_bytes(&text[start..]).ok();
        }
    }
}

#[cfg(test)]
mod tests;
