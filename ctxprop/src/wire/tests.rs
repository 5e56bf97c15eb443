//! All of a message at once: what comes in, goes out and is left out.

use ::http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        headers.append(*name, HeaderValue::from_static(line));
    }
    headers
}

fn full() -> HeaderMap {
    headers(&[
        ("traceparent", PARENT),
        ("tracestate", "rojo=1, congo=2"),
        ("baggage", "a=1;p=%2C"),
        ("baggage", "b=2"),
        ("x-timeout-ms", "250"),
        ("x-deadline", "2000-01-01T00:00:00Z"),
        ("accept", "*/*"),
    ])
}

#[test]
fn a_message_without_any_of_it_says_nothing() {
    let incoming = Incoming::from_headers(&headers(&[("accept", "*/*")]));
    assert!(incoming.span.is_none() && incoming.baggage.is_empty() && incoming.budget.is_none());
    assert_eq!(incoming.dropped(), 0);
}

#[test]
fn what_came_is_sent_on_and_the_rest_is_left_alone() {
    let incoming = Incoming::from_headers(&full());
    assert_eq!(incoming.dropped(), 0);
    let child = incoming.span.as_ref().unwrap().child();
    let mut out =
        headers(&[("x-timeout-ms", "9999"), ("baggage", "z=1"), ("baggage", "y=1"), ("host", "a")]);
    let remaining = incoming.budget.map(|budget| budget - Duration::from_nanos(1));
    let outgoing = Outgoing { span: &child, baggage: Some(&incoming.baggage), remaining };
    outgoing.write(&mut out).unwrap();
    assert_eq!(out["traceparent"].to_str().unwrap()[..36], PARENT[..36]);
    assert_ne!(out["traceparent"], PARENT);
    assert_eq!(out["tracestate"], "rojo=1, congo=2");
    assert_eq!(out.get_all("baggage").iter().collect::<Vec<_>>(), ["a=1;p=%2C,b=2"]);
    assert_eq!(out["x-timeout-ms"], "249");
    assert_eq!((out.len(), &out["host"]), (6, &HeaderValue::from_static("a")));

    let next = Incoming::from_headers(&out);
    assert_eq!(next.span.unwrap().span_id(), child.span_id());
    assert!(next.baggage.iter().eq(incoming.baggage.iter()));
}

#[test]
fn what_is_new_in_each_message_is_marked_where_it_is_asked_for_and_baggage_never() {
    let incoming = Incoming::from_headers(&full());
    let outgoing = Outgoing {
        span: incoming.span.as_ref().unwrap(),
        baggage: Some(&incoming.baggage),
        remaining: incoming.budget,
    };
    let all = Formats::new()
        .send_trace_id(true)
        .send_grpc_timeout(true)
        .send_connect_timeout(true)
        .send_envoy_timeout(true);
    for asked in [false, true] {
        let mut out = HeaderMap::new();
        all.never_indexed(asked).inject(&outgoing, &mut out).unwrap();
        for header in &HEADERS {
            let marked = asked && header.group() != Group::Baggage;
            assert_eq!(out[header.name()].is_sensitive(), marked, "{header:?}");
        }
    }
}

#[test]
fn nothing_to_say_removes_what_was_said() {
    let mut forwarded = full();
    let nothing = Outgoing { span: &SpanContext::invalid(), baggage: None, remaining: None };
    nothing.write(&mut forwarded).unwrap();
    assert_eq!(forwarded, headers(&[("accept", "*/*")]));
}

#[test]
fn an_expired_budget_writes_nothing() {
    let span = SpanContext::root();
    for nanos in [0, 1, 999_999] {
        let mut out = full();
        let remaining = Some(Duration::from_nanos(nanos));
        let outgoing = Outgoing { span: &span, baggage: None, remaining };
        assert_eq!(outgoing.write(&mut out), Err(Expired));
        assert_eq!(out, full());
        // whether or not the budget is one of the things written
        assert_eq!(Formats::new().budget(false).inject(&outgoing, &mut out), Err(Expired));
        assert_eq!(out, full());
    }
    let mut out = HeaderMap::new();
    let outgoing =
        Outgoing { span: &span, baggage: None, remaining: Some(Duration::from_millis(1)) };
    outgoing.write(&mut out).unwrap();
    assert_eq!(out["x-timeout-ms"], "1");
    assert_eq!(Expired.to_string(), "less than 1 ms of the budget remains");
}

#[test]
fn a_format_that_is_off_is_not_read() {
    let none = Formats::new().trace(false).baggage(false).budget(false);
    let incoming = none.extract(&full());
    assert!(incoming.span.is_none() && incoming.baggage.is_empty() && incoming.budget.is_none());
    assert_eq!(Formats::default(), Formats::new());
}

/// Every header of the table, as a request that is forwarded with its headers has them.
fn forwarded() -> HeaderMap {
    let stale = |name: &HeaderName| (name.clone(), HeaderValue::from_static("stale"));
    HeaderMap::from_iter(HEADERS.iter().map(|header| stale(header.name())))
}

/// All formats that somebody may choose, and whether the trace and the baggage are on.
fn all_formats() -> impl Iterator<Item = (Formats, bool, bool)> {
    (0..1 << 10).map(|bits: u32| {
        let on = |bit: u32| bits & 1 << bit != 0;
        let formats = if on(0) { Formats::queued() } else { Formats::new() };
        let formats = formats
            .trace(on(1))
            .baggage(on(2))
            .budget(on(3))
            .send_trace_id(on(4))
            .send_timeout_ms(on(5))
            .send_deadline(on(6))
            .send_grpc_timeout(on(7))
            .send_connect_timeout(on(8))
            .send_envoy_timeout(on(9));
        (formats, on(1), on(2))
    })
}

#[test]
fn nothing_stale_goes_on_whatever_is_written() {
    let span = SpanContext::root().with_trace_state("rojo=1".parse().unwrap());
    let baggage = BaggageMap::builder().insert("a", "1").unwrap().build();
    let second = Some(Duration::from_secs(1));
    let nowhere = SpanContext::invalid();
    for (formats, trace, baggage_is_on) in all_formats() {
        for outgoing in [
            Outgoing { span: &span, baggage: Some(&baggage), remaining: second },
            Outgoing { span: &nowhere, baggage: None, remaining: None },
        ] {
            let (mut out, mut new) = (forwarded(), HeaderMap::new());
            formats.inject(&outgoing, &mut out).unwrap();
            formats.inject(&outgoing, &mut new).unwrap();
            for header in &HEADERS {
                let kept = match header.group() {
                    // They may be another propagator's.
                    Group::Trace => !trace,
                    Group::Baggage => !baggage_is_on,
                    // Nobody vouches for it any more.
                    Group::Budget => false,
                };
                let expected = if kept { Some("stale") } else { None };
                let text = |headers: &HeaderMap| {
                    let value = headers.get(header.name())?.to_str().unwrap().to_owned();
                    // The clock of one is later than that of the other.
                    Some(if header.name() == "x-deadline" { value[..10].to_owned() } else { value })
                };
                let expected = expected.map(str::to_owned).or_else(|| text(&new));
                assert_eq!(text(&out), expected, "{} {formats:?}", header.name());
                assert!(out.get_all(header.name()).iter().count() < 2);
            }
        }
    }
}

/// A job that outlives its request has no deadline, so nobody who hears of it may be granted one.
#[test]
fn a_detached_job_grants_no_budget_of_the_request_that_it_forwards() {
    use crate::{Background, Ctx};

    let mut headers = headers(&[
        ("x-timeout-ms", "1500"),
        ("grpc-timeout", "1500m"),
        ("connect-timeout-ms", "1500"),
        ("x-envoy-expected-rq-timeout-ms", "1500"),
        ("x-trace-id", "0af7651916cd43dd8448eb211c80319c"),
    ]);
    let (request, _canceller) = Ctx::background().with_incoming(Incoming::from_headers(&headers));
    let job = request.detach("goes on whatever the caller does");
    job.inject(&mut headers, &Formats::new()).unwrap();
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["traceparent"]);
    assert_eq!(Incoming::from_headers(&headers).budget, None);
}

#[test]
fn more_is_written_on_request() {
    let span = SpanContext::root();
    let formats = Formats::new()
        .send_trace_id(true)
        .send_grpc_timeout(true)
        .send_connect_timeout(true)
        .send_envoy_timeout(true);
    let outgoing =
        Outgoing { span: &span, baggage: None, remaining: Some(Duration::from_micros(1_500)) };
    let mut out = HeaderMap::new();
    formats.inject(&outgoing, &mut out).unwrap();
    assert_eq!(out["x-trace-id"], span.trace_id().to_string().as_str());
    assert_eq!(out["grpc-timeout"], "1500000n");
    assert_eq!(out["connect-timeout-ms"], "1");
    assert_eq!(out["x-envoy-expected-rq-timeout-ms"], "1");
    formats.inject(&Outgoing { remaining: None, ..outgoing }, &mut out).unwrap();
    assert_eq!(out.keys().map(HeaderName::as_str).collect::<Vec<_>>().len(), 2);
}

#[test]
fn everything_left_out_is_counted() {
    let incoming = Incoming::from_headers(&headers(&[
        ("traceparent", "00-1-1-01"),
        ("tracestate", "never=looked at"),
        ("baggage", "a=1,b,c,d=4"),
        ("x-timeout-ms", "-1"),
        ("grpc-timeout", "1.5S"),
        ("x-deadline", "yesterday"),
    ]));
    assert_eq!(incoming.dropped(), 1 + 2 + 1 + 1 + 1);
    assert_eq!((incoming.baggage.len(), incoming.budget), (2, None));
}

/// What was reported: `header: reason, count` of each event, and all that was said in it.
#[derive(Clone, Default)]
struct Reports(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::field::Visit for Reports {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Reports {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "ctxprop::wire"
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn each_reason_is_reported_once_and_without_content() {
    let reports = Reports::default();
    tracing::subscriber::with_default(reports.clone(), || {
        Incoming::from_headers(&headers(&[
            ("traceparent", PARENT),
            ("tracestate", "secret=1,SECRET=2"),
            ("baggage", "a=1,secret,b=\"secret\",c=3"),
            ("x-timeout-ms", "secret"),
            ("x-timeout-ms", "250"),
        ]))
    });
    let reports = reports.0.lock().unwrap().join(" ");
    assert!(!reports.to_lowercase().contains("secret"), "{reports}");
    let message = "message=dropped from a message";
    let expected = [
        r#"header="tracestate" reason="invalid key" count=1"#,
        r#"header="baggage" reason="malformed member" count=2"#,
        r#"header="x-timeout-ms" reason="not a valid timeout" count=1"#,
    ];
    assert_eq!(reports, expected.map(|event| format!("{message} {event}")).join(" "));
}

/// Formats as somebody may have chosen them, and whether a message waits.
fn formats() -> impl Strategy<Value = Formats> {
    (any::<[bool; 5]>(), any::<bool>()).prop_map(|(on, queued)| {
        let formats = if queued { Formats::queued() } else { Formats::new() };
        formats
            .send_timeout_ms(on[0] && !queued)
            .send_deadline(on[1])
            .send_grpc_timeout(on[2])
            .send_connect_timeout(on[3])
            .send_envoy_timeout(on[4])
    })
}

proptest! {
    #[test]
    fn no_hop_is_granted_more_than_its_caller_had_left(
        seconds in 0..1u64 << 40, nanos in 0..1_000_000_000u32, scale in 0..40u32,
        hops in prop::collection::vec((formats(), 1..1_000u32), 1..6),
    ) {
        let mut left = Duration::new(seconds >> scale, nanos);
        for (formats, share_spent) in hops {
            let mut headers = HeaderMap::new();
            let span = SpanContext::invalid();
            let outgoing = Outgoing { span: &span, baggage: None, remaining: Some(left) };
            if formats.inject(&outgoing, &mut headers).is_err() {
                prop_assert!(left < Duration::from_millis(1));
                break;
            }
            let Some(granted) = formats.extract(&headers).budget else {
                // nothing that this receiver reads was written
                let silent = Formats::queued().extract(&headers).budget.is_none();
                prop_assert!(headers.is_empty() || silent, "{:?}", headers);
                break;
            };
            prop_assert!(granted <= left, "{:?} became {:?} by {:?}", left, granted, headers);
            left = granted - granted / (share_spent + 1);
        }
    }

    #[test]
    fn no_headers_make_it_panic(
        lines in prop::collection::vec(
            (0..FIELDS.len(), prop::collection::vec(any::<u8>(), 0..120)), 0..12,
        ),
    ) {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                headers.append(FIELDS[name], line);
            }
        }
        let incoming = Incoming::from_headers(&headers);
        let span = incoming.span.clone().unwrap_or_default();
        let outgoing = Outgoing { span: &span, baggage: Some(&incoming.baggage), remaining: None };
        outgoing.write(&mut headers).unwrap();
        // what we send is what we would take
        let again = Incoming::from_headers(&headers);
        let id = |span: Option<SpanContext>| span.map(|span| span.span_id());
        prop_assert_eq!(id(again.span), id(incoming.span));
        prop_assert!(again.baggage.iter().eq(incoming.baggage.iter()));
    }
}
