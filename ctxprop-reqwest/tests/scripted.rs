//! The client that answers from a script: what it tells of what it was asked, and that all else is the real client.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "it is a test")]

use std::time::Duration;

use ctxprop::{Background, Baggage, Cause, Ctx, SpanContext, propagate};
use ctxprop_reqwest::testing::{Answer, Script};
use ctxprop_reqwest::{Client, Error, Method, StatusCode};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Baggage)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user: u64,
}

#[propagate]
async fn charge(client: &Client) -> Result<String, Error> {
    let answer = client.post("/charge?fast=1").body("100").send().await?;
    answer.error_for_status()?.text().await
}

#[tokio::test(start_paused = true)]
async fn the_script_knows_what_the_peer_would_have_got() {
    let script = Script::new();
    script.on(Method::POST, "/charge", Answer::ok("paid").after(SECOND));
    let span = SpanContext::root();
    let ctx = Ctx::background().with_timeout(SECOND * 9).with_span(span.clone());
    let ctx = ctx.with_baggage(&Caller { user: 7 }).unwrap();
    let began = Instant::now();
    assert_eq!(charge(&script.client()).with(&ctx).await.unwrap(), "paid");
    assert_eq!(began.elapsed(), SECOND);

    let asked = &script.asked()[0];
    assert_eq!((asked.method(), asked.path()), (&Method::POST, "/charge"));
    assert_eq!((asked.url().query(), asked.body()), (Some("fast=1"), Some(&b"100"[..])));
    assert_eq!((asked.at(), asked.budget()), (began, Some(SECOND * 9)));
    assert_eq!(asked.baggage().get("user.id"), Some("7"));
    let told = asked.span().unwrap();
    assert_eq!(told.trace_id(), span.trace_id());
    assert_ne!(told.span_id(), span.span_id());
    assert_eq!(asked.header("x-timeout-ms"), Some("9000"));
}

#[tokio::test(start_paused = true)]
async fn answers_come_in_turn_and_the_last_one_stays() {
    let script = Script::new();
    let busy = Answer::status(StatusCode::SERVICE_UNAVAILABLE);
    script.on(Method::GET, "/", busy).on(Method::GET, "/", Answer::ok("now"));
    let (client, ctx) = (script.client(), Ctx::background());
    for (expected, n) in [(503, 1), (200, 2), (200, 3)] {
        let answer = client.get("/").send().with(&ctx).await.unwrap();
        assert_eq!((answer.status().as_u16(), script.asked().len()), (expected, n));
    }
}

#[tokio::test(start_paused = true)]
async fn retries_and_redirects_are_the_clients_own() {
    let script = Script::new();
    let moved = Answer::status(StatusCode::FOUND).header("location", "http://stranger.example/b");
    script.on(Method::GET, "/a", Answer::unreachable()).on(Method::GET, "/a", moved).on(
        Method::GET,
        "http://stranger.example/b",
        Answer::json(&[1, 2]),
    );
    let ctx = Ctx::background().with_baggage(&Caller { user: 7 }).unwrap();
    let answer = script.client().get("/a").retry(1).send().with(&ctx).await.unwrap();
    assert_eq!(answer.url().as_str(), "http://stranger.example/b");
    assert_eq!(answer.text().await.unwrap(), "[1,2]");
    let hops: Vec<_> = script.asked().iter().map(|asked| asked.baggage().len()).collect();
    assert_eq!(hops, [1, 1, 0], "a stranger is told no baggage");
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_no_connection() {
    let script = Script::new();
    script.on(Method::GET, "/", Answer::unreachable());
    let error = script.client().get("/").send().with(&Ctx::background()).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_context_and_the_timeout_end_what_takes_too_long() {
    let script = Script::new();
    script.on(Method::GET, "/", Answer::ok("late").after(SECOND * 9));
    script.on(Method::GET, "/body", Answer::ok("late").body_after(SECOND * 9));
    let client = script.client();
    let ctx = Ctx::background().with_timeout(SECOND);
    let error = client.get("/").send().with(&ctx).await.unwrap_err();
    assert!(error.cancelled().is_some_and(|cancelled| cancelled.is_deadline()));

    let ctx = Ctx::background();
    let error = client.get("/").timeout(SECOND).send().with(&ctx).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_cancelled());
    let head = client.get("/body").timeout(SECOND).send().with(&ctx).await.unwrap();
    assert!(head.text().await.unwrap_err().is_timeout());

    let (ctx, canceller) = Ctx::background().with_cancel();
    let head = client.get("/body").send().with(&ctx).await.unwrap();
    canceller.cancel_with(Cause::Disconnected);
    assert_eq!(head.text().await.unwrap_err().cancelled().unwrap().cause(), &Cause::Disconnected);
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "the script has no answer for GET http://scripted/b, only for [\"GET /a\"]"
)]
async fn what_the_script_does_not_know_fails_the_test() {
    let script = Script::new();
    script.on(Method::GET, "/a", Answer::ok(""));
    let _ = script.client().get("/b").send().with(&Ctx::background()).await;
}
