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

use http::HeaderValue;

use super::carrier::{Extract, Inject};
use super::fields::{Field, Fields};
use super::{Dropped, set};

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

/// What a header whose value counts from its arrival says: `None` where it is malformed,
/// `Some(None)` where it says that there is no limit.
type Parse = fn(&[u8]) -> Option<Option<Duration>>;

static RELATIVE: [(Field, Parse); 4] = [
    (Field::TimeoutMs, |text| parse_millis(text).map(Some)),
    (Field::GrpcTimeout, |text| parse_grpc_timeout(text).ok().map(Some)),
    (Field::ConnectTimeout, |text| {
        (text.len() <= CONNECT_DIGITS).then(|| parse_millis(text)).flatten().map(Some)
    }),
    // Envoy has no other word for "none" than 0, and sends 1 where the time is up
    (Field::EnvoyTimeout, |text| parse_millis(text).map(|it| Some(it).filter(|it| !it.is_zero()))),
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
pub fn extract(carrier: &(impl Extract + ?Sized)) -> Option<Duration> {
    read(&Fields::of(carrier), Transit::Immediate, SystemTime::now, &mut Dropped::default())
}

/// Whether a message may have waited since it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transit {
    /// A request: relative budgets count from now.
    Immediate,
    /// A message in a queue, the environment of a process: only the moment counts, however long
    /// ago it was.
    Queued,
}

#[inline]
pub(super) fn read(
    fields: &Fields<'_>,
    transit: Transit,
    now: impl FnOnce() -> SystemTime,
    dropped: &mut Dropped,
) -> Option<Duration> {
    let relative = match transit {
        Transit::Immediate => read_relative(fields, dropped),
        Transit::Queued => None,
    };
    match relative {
        Some(budget) => Some(budget.min(MAX_BUDGET)),
        None if fields.lacks(Field::Deadline) => None,
        None => deadline::read(fields, transit, now(), dropped),
    }
}

#[inline]
fn read_relative(fields: &Fields<'_>, dropped: &mut Dropped) -> Option<Duration> {
    const ALL: [Field; 4] =
        [Field::TimeoutMs, Field::GrpcTimeout, Field::ConnectTimeout, Field::EnvoyTimeout];
    let mut least = None;
    if fields.lacks_all(&ALL) {
        return None;
    }
    for (field, parse) in RELATIVE.iter().filter(|(field, _)| !fields.lacks(*field)) {
        let mut malformed = 0;
        for line in fields.all(*field) {
            match parse(line.trimmed()) {
                Some(budget) => least = smaller(least, budget),
                None => malformed += 1,
            }
        }
        if malformed > 0 {
            dropped.note(field.name(), "not a valid timeout", malformed);
        }
    }
    least
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

/// Which headers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) timeout_ms: bool,
    pub(super) deadline: bool,
    pub(super) grpc: bool,
    pub(super) connect: bool,
    pub(super) envoy: bool,
}

/// Writes what remains, which is at least [`MIN_BUDGET`], or removes what other budget there was.
#[inline]
pub(super) fn write(
    remaining: Option<Duration>,
    now: impl FnOnce() -> SystemTime,
    written: Written,
    carrier: &mut impl Inject,
) {
    let remaining = remaining.map(|remaining| remaining.min(MAX_BUDGET));
    // fits: MAX_BUDGET has eleven digits of milliseconds
    let millis = remaining.map(|remaining| remaining.as_millis() as u64);
    // These two are removed where they are not written: they may be what came in.
    let timeout_ms = millis.filter(|_| written.timeout_ms).and_then(decimal);
    set(carrier, Field::TimeoutMs.header(), timeout_ms);
    let deadline = remaining.filter(|_| written.deadline);
    let deadline = deadline.and_then(|remaining| deadline::format(now(), remaining));
    set(carrier, Field::Deadline.header(), deadline);
    if written.grpc {
        let timeout = remaining.and_then(grpc::header_value);
        set(carrier, Field::GrpcTimeout.header(), timeout);
    }
    if written.connect {
        let millis = millis.map(|millis| millis.min(CONNECT_MAX));
        set(carrier, Field::ConnectTimeout.header(), millis.and_then(decimal));
    }
    if written.envoy {
        set(carrier, Field::EnvoyTimeout.header(), millis.and_then(decimal));
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
