//! `x-deadline`: the moment the caller stops waiting, by the caller's clock.
//!
//! RFC 3339, through the `time` crate; in UTC with nanoseconds on the way out, because every digit
//! left out is a part of the budget lost a hop.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::Dropped;
use super::super::fields::{Field, Fields};
use super::{MAX_BUDGET, Transit, smaller};

/// How far apart the clocks of two hops may be. Beyond, a deadline says more of them than of the
/// request.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// The earliest of all valid lines, as a budget from `now` on.
pub(super) fn read(
    fields: &Fields<'_>,
    transit: Transit,
    now: SystemTime,
    dropped: &mut Dropped,
) -> Option<Duration> {
    let now = unix_nanos(now);
    let (mut least, mut malformed, mut skewed) = (None, 0, 0);
    for line in fields.all(Field::Deadline) {
        match parse(line.trimmed()).map(|deadline| budget(deadline - now, transit)) {
            Some(Some(budget)) => least = smaller(least, Some(budget)),
            Some(None) => skewed += 1,
            None => malformed += 1,
        }
    }
    let name = Field::Deadline.name();
    if malformed > 0 {
        dropped.note(name, "not a date and time of RFC 3339", malformed);
    }
    if skewed > 0 {
        dropped.note(name, "too far from our clock", skewed);
    }
    least
}

/// The budget that ends so many nanoseconds from now; `None` where that is absurd: a request is not
/// that old. A message may be.
fn budget(nanos: i128, transit: Transit) -> Option<Duration> {
    // What does not fit into 64 bits is more than 500 years away.
    let away = Duration::from_nanos(u64::try_from(nanos.unsigned_abs()).unwrap_or(u64::MAX));
    if nanos < 0 {
        return (transit == Transit::Queued || away <= MAX_SKEW).then_some(Duration::ZERO);
    }
    (away <= MAX_BUDGET + MAX_SKEW).then_some(away.min(MAX_BUDGET))
}

/// Nanoseconds since 1970; a leap second is taken as the last nanosecond before it, and digits
/// beyond the ninth are cut off, so the result is never later than what the line says.
fn parse(line: &[u8]) -> Option<i128> {
    // The parser takes any character for the `T`, as a note in RFC 3339, section 5.6, may be read.
    if !matches!(line.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let text = str::from_utf8(line).ok()?;
    OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp_nanos)
}

fn unix_nanos(time: SystemTime) -> i128 {
    // The seconds of a SystemTime have 64 bits at most, so the nanoseconds are below 2^94.
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// The end of what remains. A clock beyond the years 0 to 9999, which RFC 3339 cannot say, has no
/// deadline to tell.
pub(super) fn format(now: SystemTime, remaining: Duration) -> Option<HeaderValue> {
    let since = now.checked_add(remaining)?.duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since.as_secs()).ok()?;
    let (date, time) = {
        let end = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        (end.date(), end.time())
    };
    let year = u32::try_from(date.year()).ok().filter(|&year| year <= 9_999)?;
    let mut line = *b"0000-00-00T00:00:00.000000000Z";
    digits(&mut line[..4], year);
    digits(&mut line[5..7], u8::from(date.month()).into());
    digits(&mut line[8..10], date.day().into());
    digits(&mut line[11..13], time.hour().into());
    digits(&mut line[14..16], time.minute().into());
    digits(&mut line[17..19], time.second().into());
    digits(&mut line[20..29], since.subsec_nanos());
    HeaderValue::from_bytes(&line).ok()
}

fn digits(out: &mut [u8], mut number: u32) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests;
