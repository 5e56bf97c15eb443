//! Attempts against a clock that stands still unless somebody waits, and answers from a script.

use ctxprop::{Background, Cancelled, Cause, Ctx};
use http::Method;
use tokio::time::Instant;

use super::*;
use crate::send::script::{Script, URL};

const SECOND: Duration = Duration::from_secs(1);

fn request(method: Method) -> Request {
    Request::new(method, URL.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn which_answers_may_pass() {
    let wait: &[_] = &[("retry-after", "1")];
    for (status, headers, attempts) in [
        (502, &[][..], 3),
        (503, &[], 3),
        (504, &[], 3),
        (504, &[("x-deadline-exceeded", "server")], 3),
        (429, wait, 3),
        (429, &[], 1),
        (429, &[("retry-after", "soon")], 1),
        (503, wait, 3),
        (503, &[("retry-after", "soon")], 3),
        (503, &[("retry-after", "60")], 3),
        (503, &[("retry-after", "61")], 1),
        (503, &[("retry-after", "99999999999999999999999")], 1),
        (503, &[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], 1),
        (503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], 3),
        (200, wait, 1),
        (400, wait, 1),
        (404, &[], 1),
        (408, &[], 1),
        (500, &[], 1),
        (501, &[], 1),
        (505, &[], 1),
    ] {
        let mut script = Script::always(status, headers);
        let response = script.get(2, &Ctx::background()).await.unwrap();
        let row = format!("{status} {headers:?}");
        assert_eq!((response.status().as_u16(), script.asked.len()), (status, attempts), "{row}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_that_succeeds_is_the_result() {
    let mut script = Script::always(200, &[]);
    script.lines = vec![(503, &[]), (502, &[]), (200, &[])];
    let response = script.get(5, &Ctx::background()).await.unwrap();
    assert_eq!((response.status().as_u16(), script.asked.len()), (200, 3));
}

#[tokio::test(start_paused = true)]
async fn only_idempotent_methods_and_bodies_that_are_there_twice() {
    let stream = || Some(reqwest::Body::wrap("a stream".to_owned()));
    for (method, body, attempts) in [
        ("GET", None, 4),
        ("HEAD", None, 4),
        ("OPTIONS", None, 4),
        ("TRACE", None, 4),
        ("PUT", Some("hello".into()), 4),
        ("DELETE", None, 4),
        ("PUT", stream(), 1),
        ("POST", None, 1),
        ("PATCH", Some("hello".into()), 1),
        ("CONNECT", None, 1),
        ("MINE", None, 1),
    ] {
        let mut sent = request(method.parse().unwrap());
        *sent.body_mut() = body;
        let bytes = sent.body().and_then(reqwest::Body::as_bytes).map(<[u8]>::to_vec);
        let mut script = Script::always(503, &[]);
        script.send(sent, 3, &Ctx::background()).await.unwrap();
        assert_eq!(script.asked.len(), attempts, "{method}");
        let bodies = script.asked.iter().map(|(_, sent)| sent.body());
        assert!(bytes.is_none_or(|bytes| {
            bodies.map(|body| body.and_then(reqwest::Body::as_bytes)).all(|it| it == Some(&bytes))
        }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_makes_any_method_idempotent() {
    for (method, key, attempts) in
        [("POST", "8e03978e", 4), ("PATCH", "1", 4), ("POST", "", 1), ("MINE", "1", 4)]
    {
        let mut sent = request(method.parse().unwrap());
        sent.headers_mut().insert("idempotency-key", key.parse().unwrap());
        *sent.body_mut() = Some("hello".into());
        let mut script = Script::always(503, &[]);
        script.send(sent, 3, &Ctx::background()).await.unwrap();
        assert_eq!(script.asked.len(), attempts, "{method} {key:?}");
        let key = |(_, sent): &(Instant, Request)| sent.headers()["idempotency-key"].clone();
        assert!(script.asked.iter().all(|sent| key(sent) == key(&script.asked[0])));
    }
}

#[tokio::test(start_paused = true)]
async fn all_requests_of_a_client_share_a_budget_of_retries() {
    let rules = crate::client::Rules::default();
    let mut asked = 0;
    for _ in 0..100 {
        let mut script = Script::always(503, &[("retry-after", "0")]);
        let ctx = Ctx::background();
        let mut sent = request(Method::GET);
        let sender = Sender::new(&rules, &ctx, Some(&mut sent));
        let answer = send(&sender, &mut Some(sent), 3, &mut script).await.unwrap();
        assert_eq!(answer.status(), 503);
        asked += script.asked.len();
    }
    // A fifth, the reserve, and what came back of it while they waited.
    assert!((100 + 20 + 10..160).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn waits_grow_twofold_with_full_jitter() {
    fastrand::seed(17);
    let (mut script, mut sums) = (Script::always(503, &[]), [Duration::ZERO; 10]);
    for _ in 0..50 {
        script.asked.clear();
        script.get(10, &Ctx::background()).await.unwrap();
        let waits = script.waits();
        assert_eq!(waits.len(), 10);
        for (attempt, wait) in waits.iter().enumerate() {
            // tokio's timers fire at the next whole millisecond
            let longest = FIRST.saturating_mul(1 << attempt).min(LONGEST);
            assert!(*wait <= longest + Duration::from_millis(1), "{attempt}: {wait:?}");
            sums[attempt] += *wait;
        }
    }
    // On average half of the longest, as chance has it.
    for (attempt, sum) in sums.iter().enumerate() {
        let share = sum.as_secs_f64()
            / 50.0
            / FIRST.saturating_mul(1 << attempt).min(LONGEST).as_secs_f64();
        assert!((0.3..0.7).contains(&share), "{attempt}: {share}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_where_it_fits_into_the_budget() {
    for (budget, attempts, took) in [
        (None, 3, 2 * SECOND),
        (Some(3 * SECOND), 3, 2 * SECOND),
        // The second wait would end with the deadline: nobody waits for it.
        (Some(2 * SECOND), 2, SECOND),
        (Some(SECOND), 1, Duration::ZERO),
    ] {
        let mut script = Script::always(503, &[("retry-after", "1")]);
        let root = Ctx::background();
        let ctx = budget.map_or(root.clone(), |budget| root.with_timeout(budget));
        let begin = Instant::now();
        let response = script.get(2, &ctx).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!((script.asked.len(), begin.elapsed()), (attempts, took), "{budget:?}");

        // So with a timeout of its own, which bounds all attempts together.
        let Some(budget) = budget else { continue };
        let (mut script, mut sent) =
            (Script::always(503, &[("retry-after", "1")]), request(Method::GET));
        *sent.timeout_mut() = Some(budget);
        let begin = Instant::now();
        script.send(sent, 2, &root).await.unwrap();
        assert_eq!((script.asked.len(), begin.elapsed()), (attempts, took), "{budget:?}");
    }
}

#[test]
fn retry_after_to_the_letter() {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    for (text, expected) in [
        ("0", Some(Duration::ZERO)),
        ("120", Some(120 * SECOND)),
        ("0007", Some(7 * SECOND)),
        ("Sun, 06 Nov 1994 08:49:42 GMT", Some(5 * SECOND)),
        ("Sunday, 06-Nov-94 08:49:42 GMT", Some(5 * SECOND)),
        ("Sun Nov  6 08:49:42 1994", Some(5 * SECOND)),
        ("Sun, 06 Nov 1994 08:49:00 GMT", Some(Duration::ZERO)),
        ("18446744073709551616", Some(Duration::MAX)),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1s", None),
        ("soon", None),
        ("Sun, 99 Nov 1994 08:49:42 GMT", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers, || noon), expected, "{text:?}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), || noon), None);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_span_of_its_own_and_what_remains() {
    let ctx = Ctx::background().with_timeout(60 * SECOND).child_span();
    let mut script = Script::always(503, &[("retry-after", "2")]);
    script.takes = Duration::from_millis(250);
    script.get(3, &ctx).await.unwrap();
    let told: Vec<_> = (0..4).map(|hop| script.header(hop, "x-timeout-ms")).collect();
    assert_eq!(told, ["60000", "57750", "55500", "53250"]);
    let mut spans: Vec<_> = (0..4).map(|hop| script.header(hop, "traceparent")).collect();
    let trace = format!("00-{}-", ctx.span().trace_id());
    assert!(spans.iter().all(|span| span.starts_with(&trace)));
    spans.sort_unstable();
    spans.dedup();
    assert_eq!(spans.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_begins_here_is_one_for_all_attempts() {
    let mut script = Script::always(503, &[]);
    script.get(1, &Ctx::background()).await.unwrap();
    let spans = [0, 1].map(|hop| script.header(hop, "traceparent"));
    assert_eq!(spans[0][..36], spans[1][..36]);
    assert_ne!(spans[0], spans[1]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_used_all_that_remained_is_the_last() {
    // Half a millisecond is left then.
    let takes = SECOND - Duration::from_micros(500);
    let mut script = Script { takes, ..Script::always(503, &[]) };
    let response = script.get(5, &Ctx::background().with_timeout(SECOND)).await.unwrap();
    assert_eq!((response.status().as_u16(), script.asked.len()), (503, 1));

    // .. and where the other side says so, it is no response at all.
    let mut script = Script::always(504, &[("x-deadline-exceeded", "caller")]);
    let error = script.get(5, &Ctx::background().with_timeout(SECOND)).await.unwrap_err();
    assert!(error.cancelled().is_some_and(Cancelled::is_deadline), "{error:?}");
    assert_eq!(script.asked.len(), 1);
    let (mut script, mut sent) = (Script { asked: Vec::new(), ..script }, request(Method::GET));
    *sent.timeout_mut() = Some(SECOND);
    let error = script.send(sent, 5, &Ctx::background()).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut) && script.asked.len() == 1, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_context_ends_the_wait() {
    let (ctx, canceller) = Ctx::background().with_cancel();
    let mut script = Script::always(503, &[("retry-after", "30")]);
    let (begin, leaves) = (Instant::now(), async {
        tokio::time::sleep(SECOND).await;
        canceller.cancel_with(Cause::Shutdown);
    });
    let (error, ()) = tokio::join!(script.get(1, &ctx), leaves);
    assert_eq!(error.unwrap_err().cancelled().map(Cancelled::cause), Some(&Cause::Shutdown));
    assert_eq!((script.asked.len(), begin.elapsed()), (1, SECOND));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_begins_at_the_requests_own_url() {
    let mut script = Script::always(200, &[]);
    script.lines = vec![(307, &[("location", "http://evil.example/x")]), (503, &[]), (200, &[])];
    let mut headers = HeaderMap::new();
    headers.insert("baggage", "tenant=acme".parse().unwrap());
    let incoming = ctxprop::wire::Incoming::from_headers(&headers);
    let (ctx, _canceller) = Ctx::background().with_incoming(incoming);
    script.get(1, &ctx).await.unwrap();
    let asked = script.asked.iter().map(|(_, hop)| hop);
    let asked: Vec<_> =
        asked.map(|hop| (hop.url().as_str(), hop.headers().contains_key("baggage"))).collect();
    // Trust is lost for the chain, not for the next attempt.
    assert_eq!(asked, [(URL, true), ("http://evil.example/x", false), (URL, true)]);
}
