//! `x-deadline`: the moment the caller stops waiting, by the caller's clock.
//!
//! RFC 3339, to the letter on the way in (the fuzz target holds it to the parser of the crate `time`); in UTC with
//! nanoseconds on the way out, because every digit left out is a part of the budget lost a hop.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::calendar::{Date, SECONDS_A_DAY};
use super::{MAX_BUDGET, Transit, smaller};
use crate::wire::Dropped;
use crate::wire::fields::Fields;
use crate::wire::headers::Field;

/// How far apart the clocks of two hops may be. Beyond, a deadline says more of them than of the
/// request.
const MAX_SKEW: Duration = Duration::from_secs(60);

const NANOS: i128 = 1_000_000_000;

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

/// `date-time` of RFC 3339, section 5.6, as nanoseconds since 1970.
///
/// A leap second is taken as the last nanosecond before it, and digits beyond the ninth are cut off, so the result is
/// never later than what the line says.
fn parse(line: &[u8]) -> Option<i128> {
    let (date_time, rest) = line.split_first_chunk::<19>()?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, t, h0, h1, b':', n0, n1, b':', s0, s1] =
        *date_time
    else {
        return None;
    };
    // The grammar has a `T`, a note below it lets people write a space.
    matches!(t, b'T' | b't' | b' ').then_some(())?;
    let year = two_digits([y0, y1], 99)? * 100 + two_digits([y2, y3], 99)?;
    let date = Date::new(year, two_digits([m0, m1], 12)?, two_digits([d0, d1], 31)?)?;
    let (hour, minute, second) =
        (two_digits([h0, h1], 23)?, two_digits([n0, n1], 59)?, two_digits([s0, s1], 60)?);
    let (fraction, rest) = fraction(rest)?;
    let of_day = (hour * 60 + minute) * 60 + second;
    let seconds = date.days_since_1970() * SECONDS_A_DAY + i64::from(of_day) - offset(rest)?;
    // What an offset makes of the years 0 to 9999 must be one of them.
    let utc = Date::of_days(seconds.div_euclid(SECONDS_A_DAY))?;
    if second < 60 {
        return Some(i128::from(seconds) * NANOS + i128::from(fraction));
    }
    // Leap seconds are the last of a month, in UTC (section 5.7): what is behind one is the first of the next.
    let ends_a_month = seconds.rem_euclid(SECONDS_A_DAY) == 0 && utc.is_first_of_month();
    ends_a_month.then_some(i128::from(seconds) * NANOS - 1)
}

/// `[ "." 1*DIGIT ]` as nanoseconds, and what is behind it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let len = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = digits.split_at(len);
    let nine = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanos = nine.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    (len > 0).then_some((nanos, rest))
}

/// `"Z" / ("+" / "-") time-hour ":" time-minute`, in seconds, and nothing behind it.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let minutes = two_digits([h0, h1], 23)? * 60 + two_digits([m0, m1], 59)?;
            let seconds = i64::from(minutes) * 60;
            Some(if sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

fn two_digits(text: [u8; 2], max: u32) -> Option<u32> {
    let digits = text.iter().all(u8::is_ascii_digit);
    let number = digits.then(|| u32::from(text[0] - b'0') * 10 + u32::from(text[1] - b'0'))?;
    (number <= max).then_some(number)
}

fn unix_nanos(time: SystemTime) -> i128 {
    // The seconds of a SystemTime have 64 bits at most, so the nanoseconds are below 2^94.
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// The end of what remains. A clock beyond the years 1970 to 9999 has no deadline to tell.
pub(super) fn format(now: SystemTime, remaining: Duration) -> Option<[u8; 30]> {
    let since = now.checked_add(remaining)?.duration_since(UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since.as_secs()).ok()?;
    let of_day = u32::try_from(seconds % SECONDS_A_DAY).ok()?;
    let [h0, h1] = digits(of_day / 3_600);
    let [n0, n1] = digits(of_day / 60 % 60);
    let [s0, s1] = digits(of_day % 60);
    let mut line = [0; 30];
    line[..11].copy_from_slice(&written_date(seconds / SECONDS_A_DAY)?);
    line[11..20].copy_from_slice(&[h0, h1, b':', n0, n1, b':', s0, s1, b'.']);
    line[20..29].copy_from_slice(&digits::<9>(since.subsec_nanos()));
    line[29] = b'Z';
    Some(line)
}

/// The date so many days after 1970-01-01, and the `T` behind it. It is the same for a whole day, so each thread remembers
/// the one that it wrote last.
#[inline]
fn written_date(days: i64) -> Option<[u8; 11]> {
    thread_local! {
        static LAST: Cell<(i64, [u8; 11])> = const { Cell::new((0, *b"1970-01-01T")) };
    }
    let (of, date) = LAST.get();
    if of == days {
        return Some(date);
    }
    let Date { year, month, day } = Date::of_days(days)?;
    let [y0, y1, y2, y3] = digits(year);
    let ([m0, m1], [d0, d1]) = (digits(month), digits(day));
    let date = [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T'];
    LAST.set((days, date));
    Some(date)
}

#[inline]
fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut out = [0; N];
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out
}

#[cfg(test)]
mod tests;
