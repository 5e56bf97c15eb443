//! `x-deadline` against a clock that stands still.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;

/// 2026-11-23T10:00:00Z
const NOW: u64 = 1_795_428_000;

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

fn budget_in(transit: Transit, lines: &[&str], now: SystemTime) -> (Option<Duration>, usize) {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-deadline", HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    let mut dropped = Dropped::default();
    let fields = Fields::of(&headers);
    (read(&fields, transit, now, &mut dropped), dropped.0)
}

fn budget_of(lines: &[&str]) -> (Option<Duration>, usize) {
    budget_in(Transit::Immediate, lines, UNIX_EPOCH + Duration::from_secs(NOW))
}

#[test]
fn any_date_and_time_of_rfc_3339() {
    let millis = |millis| Some(Duration::from_millis(millis));
    let thousand = format!("2026-11-23T10:00:00.25{}Z", "0".repeat(998));
    for (section, line, expected) in [
        ("5.6", "2026-11-23T10:00:01Z", millis(1_000)),
        ("5.6: lower case", "2026-11-23t10:00:01z", millis(1_000)),
        ("5.6: a space", "2026-11-23 10:00:01Z", millis(1_000)),
        ("time-secfrac", "2026-11-23T10:00:00.9Z", millis(900)),
        ("time-secfrac", "2026-11-23T10:00:00.000000001Z", Some(Duration::from_nanos(1))),
        (
            "time-secfrac: any length, cut off",
            "2026-11-23T10:00:00.00000000199999999999Z",
            Some(Duration::from_nanos(1)),
        ),
        ("time-numoffset", "2026-11-23T12:00:01+02:00", millis(1_000)),
        ("time-numoffset", "2026-11-22T22:30:01.5-11:30", millis(1_500)),
        ("time-numoffset: furthest", "2026-11-24T09:59:01+23:59", millis(1_000)),
        ("time-numoffset: furthest", "2026-11-22T10:01:01-23:59", millis(1_000)),
        ("time-secfrac, lower case", "2026-11-23t10:00:00.25z", millis(250)),
        ("time-secfrac: a thousand digits", &thousand, millis(250)),
        ("time-numoffset: before year 0", "0000-01-01T00:00:00+23:59", None),
        ("time-numoffset: beyond year 9999", "9999-12-31T23:59:59-23:59", None),
        ("time-numoffset: unknown", "2026-11-23T10:00:01-00:00", millis(1_000)),
        (
            "5.7: leap second, elsewhere",
            "2026-12-31T15:59:60-08:00",
            Some(Duration::new(3_333_599, 999_999_999)),
        ),
        (
            "5.7: leap second, with a fraction",
            "2026-12-31T23:59:60.5Z",
            Some(Duration::new(3_333_599, 999_999_999)),
        ),
        (
            "5.7: leap second, not granted",
            "2026-12-31T23:59:60Z",
            Some(Duration::new(3_333_599, 999_999_999)),
        ),
        ("white space around it", " 2026-11-23T10:00:01Z\t", millis(1_000)),
        ("time-secfrac: a dot", "2026-11-23T10:00:00,9Z", None),
        ("time-secfrac: digits", "2026-11-23T10:00:00.Z", None),
        ("time-offset is needed", "2026-11-23T10:00:01", None),
        ("time-numoffset", "2026-11-23T10:00:01+0200", None),
        ("time-numoffset", "2026-11-23T10:00:01+2", None),
        ("time-numoffset: 23:59 at most", "2026-11-23T10:00:01+24:00", None),
        ("time-second: 60 only at a month's end", "2026-11-23T10:00:60Z", None),
        ("time-second", "2026-11-23T10:00:61Z", None),
        ("time-hour", "2026-11-23T24:00:00Z", None),
        ("date-mday", "2026-02-29T10:00:01Z", None),
        ("date-month", "2026-13-01T10:00:01Z", None),
        ("date-fullyear: four digits", "+02026-11-23T10:00:01Z", None),
        ("T or a space", "2026-11-23_10:00:01Z", None),
        ("T or a space", "2026-11-23110:00:01Z", None),
        ("nothing else", "2026-11-23T10:00:01Z!", None),
        ("nothing else", "2026-11-23", None),
        ("nothing else", "1795428001", None),
        ("nothing else", "Mon, 23 Nov 2026 10:00:01 GMT", None),
        ("ASCII", "2026-11-23T10:00:0١Z", None),
        ("", "", None),
    ] {
        let dropped = usize::from(expected.is_none());
        assert_eq!(budget_of(&[line]), (expected, dropped), "{section}: {line}");
    }
}

#[test]
fn absurd_ones_are_the_clocks_fault() {
    let (year, zero) = (Some(MAX_BUDGET), Some(Duration::ZERO));
    for (line, expected) in [
        ("2026-11-23T10:00:00Z", (zero, 0)),
        ("2026-11-23T09:59:59.999999999Z", (zero, 0)),
        ("2026-11-23T09:59:00Z", (zero, 0)),
        ("2026-11-23T09:58:59.999999999Z", (None, 1)),
        ("1970-01-01T00:00:00Z", (None, 1)),
        ("0000-01-01T00:00:00Z", (None, 1)),
        ("2027-11-23T10:00:00Z", (year, 0)),
        ("2027-11-23T10:01:00Z", (year, 0)),
        ("2027-11-23T10:01:00.000000001Z", (None, 1)),
        ("9999-12-31T23:59:59Z", (None, 1)),
    ] {
        assert_eq!(budget_of(&[line]), expected, "{line}");
        // a message may have waited, but nothing waits for what lies ahead
        let past = expected == (zero, 0) || line < "2026";
        let queued = budget_in(Transit::Queued, &[line], UNIX_EPOCH + Duration::from_secs(NOW));
        let past_or_not =
            if past || line == "2026-11-23T09:58:59.999999999Z" { (zero, 0) } else { expected };
        assert_eq!(queued, past_or_not, "{line}");
    }
}

#[test]
fn the_earliest_of_the_valid_lines_counts() {
    let lines =
        ["2026-11-23T10:00:09Z", "nonsense", "2026-11-23T10:00:03Z", "1970-01-01T00:00:00Z"];
    assert_eq!(budget_of(&lines), (Some(Duration::from_secs(3)), 2));
}

#[test]
fn it_is_written_in_utc_with_nanoseconds() {
    let write_at = |now, remaining| {
        format(now, remaining).map(|line| str::from_utf8(&line).unwrap().to_owned())
    };
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let text = |line: &str| Some(line.to_owned());
    assert_eq!(write_at(now, Duration::from_millis(900)), text("2026-11-23T10:00:00.900000000Z"));
    assert_eq!(write_at(now, Duration::from_nanos(1)), text("2026-11-23T10:00:00.000000001Z"));
    assert_eq!(write_at(UNIX_EPOCH, Duration::ZERO), text("1970-01-01T00:00:00.000000000Z"));
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    assert_eq!(write_at(last, Duration::ZERO), text("9999-12-31T23:59:59.000000000Z"));
    // years that RFC 3339 cannot say
    assert_eq!(write_at(last, Duration::from_secs(1)), None);
    assert_eq!(write_at(UNIX_EPOCH - Duration::from_secs(9), Duration::from_secs(1)), None);
    assert_eq!(write_at(now, Duration::MAX), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_to_the_nanosecond(now in 0..u64::MAX >> 1, remaining: u64) {
        let remaining = Duration::from_nanos(remaining).min(MAX_BUDGET);
        let line = format(at(now), remaining).unwrap();
        for transit in [Transit::Immediate, Transit::Queued] {
            let read = budget_in(transit, &[str::from_utf8(&line).unwrap()], at(now));
            prop_assert_eq!(read, (Some(remaining), 0));
        }
    }
}
