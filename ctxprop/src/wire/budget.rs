//! How long the caller will wait, in the headers of several conventions.
//!
//! Relative ones (`x-timeout-ms`, `grpc-timeout`, `connect-timeout-ms`,
//! `x-envoy-expected-rq-timeout-ms`) count from the arrival of the request; they are here. The
//! absolute `x-deadline` depends on two clocks and has its own file, and so has the notation of
//! gRPC.
//!
//! No hop is ever granted more than remains: every rounding is down.

mod calendar;
mod deadline;
pub(super) mod grpc;

use std::time::{Duration, SystemTime};

use http::HeaderValue;

use super::Dropped;
use super::carrier::{Extract, Inject};
use super::fields::Fields;
use super::header_values::{HeaderValues, Place, Shared};
use super::headers::{Field, FieldSet, Group};

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

/// All headers that tell a budget.
pub(super) const BUDGET: FieldSet = FieldSet::of(Group::Budget);

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
    let present = fields.present(BUDGET);
    // Nearly always there is one line, which is ours, and right.
    if present == FieldSet::default().with(Field::TimeoutMs, true)
        && let Some(line) = fields.only(Field::TimeoutMs)
        && let Some(millis) = parse_digits(line.trimmed())
    {
        return Some(Duration::from_millis(millis));
    }
    let mut least = None;
    for field in present.iter() {
        let Some(relative) = &field.row().relative else { continue };
        let mut malformed = 0;
        for line in fields.all(field) {
            match (relative.parse)(line.trimmed()) {
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
pub(super) fn parse_timeout_ms(text: &[u8]) -> Option<Option<Duration>> {
    parse_millis(text).map(Some)
}

pub(super) fn parse_connect(text: &[u8]) -> Option<Option<Duration>> {
    (text.len() <= CONNECT_DIGITS).then(|| parse_millis(text)).flatten().map(Some)
}

/// Envoy has no other word for "none" than 0, and sends 1 where the time is up.
pub(super) fn parse_envoy(text: &[u8]) -> Option<Option<Duration>> {
    parse_millis(text).map(|budget| Some(budget).filter(|budget| !budget.is_zero()))
}

fn parse_millis(text: &[u8]) -> Option<Duration> {
    parse_digits(text).map(Duration::from_millis)
}

fn parse_digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut digits = text.iter().map(|byte| byte.wrapping_sub(b'0'));
    // So many fit, whatever they are.
    if text.len() < 20 {
        let mut number = 0u64;
        for digit in digits {
            if digit > 9 {
                return None;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        }
        return Some(number);
    }
    digits.try_fold(0u64, |number, digit| {
        let digit = (digit <= 9).then_some(u64::from(digit))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

/// Those that few are told: each has a value of its own.
const ON_REQUEST: FieldSet = BUDGET
    .with(Field::TimeoutMs, false)
    .with(Field::Deadline, false)
    .with(Field::GrpcTimeout, false);

/// Where among the values those are that nearly everybody is told, or every call of gRPC.
#[derive(Default)]
pub(super) struct Composed {
    millis: Option<Place>,
    moment: Option<Place>,
    grpc: Option<Place>,
}

/// Puts what remains, which is at least [`MIN_BUDGET`], among the values, as far as it is asked for.
#[inline]
pub(super) fn compose(
    remaining: Duration,
    now: impl FnOnce() -> SystemTime,
    written: FieldSet,
    values: &mut HeaderValues,
) -> Composed {
    let remaining = remaining.min(MAX_BUDGET);
    let mut composed = Composed::default();
    if written.has(Field::TimeoutMs) {
        composed.millis = decimal(remaining.as_millis() as u64, |text| values.push(text));
    }
    if written.has(Field::Deadline) {
        composed.moment = deadline::format(now(), remaining).and_then(|line| values.push(&line));
    }
    if written.has(Field::GrpcTimeout) {
        composed.grpc = grpc::written(remaining, |text| values.push(text));
    }
    composed
}

/// Adds what was composed of what remains, and all other headers that are asked for.
#[inline]
pub(super) fn append(
    composed: &Composed,
    shared: &Shared,
    remaining: Duration,
    written: FieldSet,
    carrier: &mut impl Inject,
) {
    let header = |place: &Option<Place>| place.clone().and_then(|place| shared.header(place));
    if let Some(line) = header(&composed.millis) {
        carrier.append(Field::TimeoutMs.header(), line);
    }
    if let Some(line) = header(&composed.moment) {
        carrier.append(Field::Deadline.header(), line);
    }
    if let Some(line) = header(&composed.grpc) {
        carrier.append(Field::GrpcTimeout.header(), line);
    }
    for field in written.common(ON_REQUEST).iter() {
        let write = field.row().relative.as_ref().map(|relative| relative.write);
        if let Some(line) = write.and_then(|write| write(remaining.min(MAX_BUDGET))) {
            carrier.append(field.header(), shared.marked(line));
        }
    }
}

/// Whole milliseconds; they fit, since [`MAX_BUDGET`] has eleven digits of them.
pub(super) fn millis(remaining: Duration) -> Option<HeaderValue> {
    decimal_header(remaining.as_millis() as u64)
}

pub(super) fn connect_millis(remaining: Duration) -> Option<HeaderValue> {
    decimal_header((remaining.as_millis() as u64).min(CONNECT_MAX))
}

fn decimal_header(number: u64) -> Option<HeaderValue> {
    decimal(number, |text| HeaderValue::from_bytes(text).ok())
}

fn decimal<T>(number: u64, written: impl FnOnce(&[u8]) -> T) -> T {
    let mut text = [0; 20];
    let mut rest = number;
    let mut start = text.len();
    loop {
        start -= 1; // 20 digits hold any u64
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return written(&text[start..]);
        }
    }
}

#[cfg(test)]
mod tests;
