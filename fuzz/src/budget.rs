//! The headers of budgets.

use std::time::Duration;

use ctxprop::SpanContext;
use ctxprop::wire::budget::{
    MAX_BUDGET, extract, extract_grpc_timeout, format_grpc_timeout, parse_grpc_timeout,
};
use ctxprop::wire::{Formats, Outgoing};
use http::HeaderMap;

/// All that can be written of a budget.
const ALL: Formats =
    Formats::new().send_grpc_timeout(true).send_connect_timeout(true).send_envoy_timeout(true);

/// The headers, and how much a receiver may understand less than was meant.
const WRITTEN: [(&str, Duration); 5] = [
    ("x-timeout-ms", Duration::from_millis(1)),
    // The clock goes on between writing and reading.
    ("x-deadline", Duration::MAX),
    // Eight digits of hours, the coarsest unit that a budget needs.
    ("grpc-timeout", Duration::from_secs(60)),
    ("connect-timeout-ms", Duration::MAX),
    ("x-envoy-expected-rq-timeout-ms", Duration::from_millis(1)),
];

/// Whatever came, no receiver is granted more than was meant, in whichever header it looks.
pub fn check(headers: &HeaderMap) {
    let Some(budget) = extract(headers) else { return };
    assert!(budget <= MAX_BUDGET);
    let mut sent = HeaderMap::new();
    let nowhere = SpanContext::invalid();
    let outgoing = Outgoing { span: &nowhere, baggage: None, remaining: Some(budget) };
    if ALL.inject(&outgoing, &mut sent).is_err() {
        assert!(budget < Duration::from_millis(1));
        assert!(sent.is_empty());
        return;
    }
    assert_eq!(sent.len(), WRITTEN.len());
    for (name, rounding) in WRITTEN {
        let value = sent[name].clone();
        assert!(value.to_str().is_ok());
        let alone = HeaderMap::from_iter([(name.parse().expect("a name"), value)]);
        let heard = extract(&alone).unwrap_or_else(|| panic!("not understood: {alone:?}"));
        assert!(heard <= budget, "{budget:?} became {heard:?} by {name}");
        assert!(budget - heard <= rounding, "{budget:?} became {heard:?} by {name}");
    }
    assert!(extract(&sent).is_some_and(|heard| heard <= budget));
}

/// A header of digits says the least of what its lines say, and nothing else is a number.
pub fn check_millis(headers: &HeaderMap, name: &str, digits: usize, zero_is_none: bool) {
    check(headers);
    let millis = |line: &http::HeaderValue| {
        let text = line.as_bytes().trim_ascii();
        if text.is_empty() || text.len() > digits || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        // A number that is too large for it is as good as the largest.
        let millis = str::from_utf8(text).expect("digits").parse().unwrap_or(u64::MAX);
        (millis > 0 || !zero_is_none).then(|| Duration::from_millis(millis).min(MAX_BUDGET))
    };
    let least = headers.get_all(name).iter().filter_map(millis).min();
    assert_eq!(extract(headers), least);
}

/// The grammar to the letter, and a number that is written as it is read.
pub fn check_grpc(headers: &HeaderMap) {
    check(headers);
    let one_line = headers.get_all("grpc-timeout").iter().count() <= 1;
    assert!(one_line || extract_grpc_timeout(headers).is_err());
    for line in headers.get_all("grpc-timeout") {
        let text = line.as_bytes();
        let is_valid = matches!(text, [digits @ .., b'H' | b'M' | b'S' | b'm' | b'u' | b'n']
            if (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit));
        let parsed = parse_grpc_timeout(text);
        assert_eq!(parsed.is_ok(), is_valid, "{line:?}");
        if let Ok(timeout) = parsed {
            let written = format_grpc_timeout(timeout);
            assert_eq!(parse_grpc_timeout(written.as_bytes()), Ok(timeout), "{line:?} {written}");
        }
    }
}

/// No more than RFC 3339, by another parser's word, and never what is years away.
pub fn check_deadline(headers: &HeaderMap) {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    check(headers);
    let one = |line: &http::HeaderValue| {
        let alone =
            HeaderMap::from_iter([(http::HeaderName::from_static("x-deadline"), line.clone())]);
        let budget = extract(&alone)?;
        let text = str::from_utf8(line.as_bytes().trim_ascii()).expect("RFC 3339 is ASCII");
        let parsed = OffsetDateTime::parse(text, &Rfc3339).expect("RFC 3339");
        let ahead = parsed - OffsetDateTime::now_utc();
        // Our clock went on since, so less is ahead than was; a minute of skew is allowed behind.
        assert!(budget.is_zero() || ahead <= budget + Duration::from_secs(61));
        assert!(ahead.whole_seconds() >= -62, "{text}");
        Some(budget)
    };
    let least = headers.get_all("x-deadline").iter().filter_map(one).min();
    assert_eq!(extract(headers).is_some(), least.is_some());
}
