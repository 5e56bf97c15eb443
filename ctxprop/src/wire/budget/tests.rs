//! Relative budgets, the notation of gRPC, and which of several headers counts.

use http::HeaderMap;
use proptest::prelude::*;

use super::*;

fn write(
    remaining: Duration,
    now: impl FnOnce() -> SystemTime,
    written: FieldSet,
    carrier: &mut impl Inject,
) {
    let mut values = HeaderValues::new();
    let composed = compose(remaining, now, written, &mut values);
    append(&composed, &values.share(false), remaining, written, carrier);
}

const MS: fn(u64) -> Duration = Duration::from_millis;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        headers.append(*name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

fn budget(lines: &[(&'static str, &str)]) -> (Option<Duration>, usize) {
    let mut dropped = Dropped::default();
    let headers = headers(lines);
    let fields = Fields::of(&headers);
    (read(&fields, Transit::Immediate, SystemTime::now, &mut dropped), dropped.0)
}

/// All that can be written of a budget.
const ALL: FieldSet = BUDGET;

#[test]
fn a_timeout_is_digits_and_nothing_else() {
    for (line, expected) in [
        ("0", Some(Duration::ZERO)),
        ("1", Some(MS(1))),
        ("0250", Some(MS(250))),
        ("30000", Some(MS(30_000))),
        (" 5", Some(MS(5))), // white space around a value is not part of it: RFC 9110, section 5.5
        ("5\t ", Some(MS(5))),
        ("31536000000", Some(MAX_BUDGET)),
        ("31536000001", Some(MAX_BUDGET)),
        ("9223372036854775808", Some(MAX_BUDGET)),
        ("18446744073709551615", Some(MAX_BUDGET)),
        ("99999999999999999999", Some(MAX_BUDGET)),
        ("-1", None),
        ("+5", None),
        ("5 5", None),
        ("5.0", None),
        ("5ms", None),
        ("5,6", None),
        ("0x5", None),
        ("1e3", None),
        ("1_000", None),
        ("", None),
        (" ", None),
        ("٣", None),
        ("NaN", None),
        ("infinity", None),
    ] {
        let dropped = usize::from(expected.is_none());
        assert_eq!(budget(&[("x-timeout-ms", line)]), (expected, dropped), "{line:?}");
    }
    // far enough from overflow for any clock
    assert!(std::time::Instant::now().checked_add(MAX_BUDGET * 2).is_some());
}

#[test]
fn each_convention_has_its_own_grammar() {
    for (name, line, expected) in [
        ("connect-timeout-ms", "1500", (Some(MS(1500)), 0)),
        ("connect-timeout-ms", "9999999999", (Some(MS(9_999_999_999)), 0)),
        ("connect-timeout-ms", "00000000001", (None, 1)), // at most ten digits
        ("connect-timeout-ms", "0", (Some(Duration::ZERO), 0)),
        ("connect-timeout-ms", "-5", (None, 1)),
        ("x-envoy-expected-rq-timeout-ms", "15000", (Some(MS(15_000)), 0)),
        ("x-envoy-expected-rq-timeout-ms", "0", (None, 0)), // no timeout, in Envoy
        ("x-envoy-expected-rq-timeout-ms", "x", (None, 1)),
        ("grpc-timeout", "100m", (Some(MS(100)), 0)),
        ("grpc-timeout", "0n", (Some(Duration::ZERO), 0)),
        ("grpc-timeout", "99999999H", (Some(MAX_BUDGET), 0)),
        ("grpc-timeout", "+100m", (None, 1)),
        ("x-timeout", "5", (None, 0)),
    ] {
        assert_eq!(budget(&[(name, line)]), expected, "{name}: {line}");
    }
}

#[test]
fn the_smallest_wins_and_the_malformed_are_left_out() {
    let all = [
        ("x-timeout-ms", "900"),
        ("grpc-timeout", "800m"),
        ("connect-timeout-ms", "700"),
        ("x-envoy-expected-rq-timeout-ms", "600"),
    ];
    assert_eq!(budget(&all), (Some(MS(600)), 0));
    assert_eq!(budget(&all[..3]), (Some(MS(700)), 0));
    assert_eq!(budget(&all[..2]), (Some(MS(800)), 0));
    let lines = [("x-timeout-ms", "900"), ("x-timeout-ms", "300"), ("x-timeout-ms", "500")];
    assert_eq!(budget(&lines), (Some(MS(300)), 0));
    let lines = [("x-timeout-ms", "-1"), ("x-timeout-ms", "300"), ("grpc-timeout", "1.5S")];
    assert_eq!(budget(&lines), (Some(MS(300)), 2));
    assert_eq!(budget(&[]), (None, 0));
}

#[test]
fn a_deadline_counts_only_without_a_valid_relative_header() {
    let past = ("x-deadline", "2000-01-01T00:00:00Z");
    let future = SystemTime::now() + Duration::from_secs(3_600);
    let future = deadline::format(future, Duration::ZERO).unwrap();
    let future = HeaderValue::from_bytes(&future).unwrap();
    let future = ("x-deadline", future.to_str().unwrap());

    assert_eq!(budget(&[past, ("x-timeout-ms", "5")]), (Some(MS(5)), 0));
    let (hour, dropped) = budget(&[future, ("x-timeout-ms", "5.0")]);
    assert!(hour.is_some_and(|hour| hour > Duration::from_secs(3_500)) && dropped == 1);
}

#[test]
fn a_grpc_timeout_is_strict() {
    for (line, expected) in [
        ("1n", Some(Duration::from_nanos(1))),
        ("99999999u", Some(Duration::from_micros(99_999_999))),
        ("00000001m", Some(MS(1))),
        ("1S", Some(Duration::from_secs(1))),
        ("2M", Some(Duration::from_secs(120))),
        ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
        ("-1S", None),
        ("+1S", None),
        ("1.5S", None),
        ("100", None),
        ("S", None),
        ("", None),
        ("abc", None),
        ("123456789n", None),
        ("000000001S", None),
        ("1s", None),
        ("1h", None),
        ("1 S", None),
        (" 1S", None),
        ("1S ", None),
        ("1ms", None),
        ("1µ", None),
    ] {
        assert_eq!(parse_grpc_timeout(line.as_bytes()).ok(), expected, "{line:?}");
        let extracted = extract_grpc_timeout(&headers(&[("grpc-timeout", line)]));
        assert_eq!(extracted, expected.map(Some).ok_or(InvalidTimeout), "{line:?}");
    }
    let twice = headers(&[("grpc-timeout", "1S"), ("grpc-timeout", "1S")]);
    assert_eq!(extract_grpc_timeout(&twice), Err(InvalidTimeout));
}

#[test]
fn a_grpc_timeout_is_written_in_the_finest_unit_that_fits() {
    for (timeout, expected) in [
        (Duration::ZERO, "0n"),
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_nanos(100_000_999), "100000u"),
        (Duration::from_micros(99_999_999), "99999999u"),
        (Duration::from_micros(100_000_999), "100000m"),
        (MS(99_999_999), "99999999m"),
        (MS(100_000_999), "100000S"),
        (Duration::from_secs(99_999_999), "99999999S"),
        (Duration::from_secs(100_000_019), "1666666M"),
        (Duration::from_secs(99_999_999 * 60 + 59), "99999999M"),
        (Duration::from_secs(100_000_000 * 60), "1666666H"),
        (Duration::MAX, "99999999H"),
    ] {
        assert_eq!(format_grpc_timeout(timeout), expected);
    }
}

#[test]
fn each_header_says_what_remains() {
    let mut out = HeaderMap::new();
    write(Duration::from_micros(1_999), SystemTime::now, FieldSet::BY_DEFAULT, &mut out);
    assert_eq!(
        (out.len(), &out["x-timeout-ms"], out["x-deadline"].len()),
        (2, &"1".parse().unwrap(), 30)
    );

    let mut out = HeaderMap::new();
    write(Duration::MAX, SystemTime::now, ALL, &mut out);
    assert_eq!(out["x-timeout-ms"], "31536000000");
    assert_eq!(out["connect-timeout-ms"], "9999999999");
    assert_eq!(out["x-envoy-expected-rq-timeout-ms"], "31536000000");
    assert_eq!(out["grpc-timeout"], "31536000S");
    assert_eq!(out.len(), 5);
}

proptest! {
    #[test]
    fn budgets_never_grow(nanos: u64, seconds: u64) {
        for sent in [
            Duration::from_nanos(nanos),
            Duration::from_micros(nanos),
            MS(nanos),
            Duration::from_secs(seconds),
        ] {
            prop_assert!(parse_grpc_timeout(format_grpc_timeout(sent).as_bytes()).unwrap() <= sent);
            // what is below is refused before anything is written
            if sent < MIN_BUDGET {
                continue;
            }
            let mut out = HeaderMap::new();
            let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(seconds >> 2);
            write(sent, || now, ALL, &mut out);
            for name in ALL.iter().map(Field::name) {
                let mut one = HeaderMap::new();
                one.insert(name, out[name].clone());
                let fields = Fields::of(&one);
                let read = read(&fields, Transit::Immediate, || now, &mut Dropped::default());
                let read = read.unwrap();
                prop_assert!(read <= sent, "{}: {:?} became {:?}", name, sent, read);
                if name == "x-deadline" {
                    prop_assert_eq!(read, sent.min(MAX_BUDGET));
                } else if sent < MS(9_999_999_999) {
                    let lost = sent - read;
                    let unit = if name == "grpc-timeout" { 1_000 } else { 1 };
                    prop_assert!(lost < MS(unit), "{}: {:?} lost {:?}", name, sent, lost);
                }
            }
        }
    }

    #[test]
    fn grpc_timeouts_are_read_back(number in 0..100_000_000u64, unit in "[HMSmun]") {
        let text = format!("{number}{unit}");
        let timeout = parse_grpc_timeout(text.as_bytes()).unwrap();
        prop_assert_eq!(parse_grpc_timeout(format_grpc_timeout(timeout).as_bytes()), Ok(timeout));
    }

    #[test]
    fn no_bytes_make_it_panic(
        lines in prop::collection::vec(
            (0..5usize, prop::collection::vec(any::<u8>(), 0..40)), 0..8,
        ),
        text in "[0-9TZ:.+HMSmun -]{0,40}",
    ) {
        let names: Vec<_> = ALL.iter().map(Field::name).collect();
        let mut out = HeaderMap::new();
        for (index, line) in lines {
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                out.append(names[index], line);
            }
            out.append(names[index], HeaderValue::from_str(&text).unwrap());
        }
        let budget = extract(&out);
        prop_assert!(budget.is_none_or(|budget| budget <= MAX_BUDGET));
        let _ = extract_grpc_timeout(&out);
    }
}
