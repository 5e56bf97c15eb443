//! A planted stuck request is found, with the right file and line; so are a shield, a detached task, a leak, and what ended.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/service.rs"]
mod service;

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ctxprop::{Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::handler;
use serde_json::Value;
use service::{Service, works};

const SECOND: Duration = Duration::from_secs(1);

#[propagate]
async fn checkout(_ctx: Ctx) -> Result<&'static str, Cancelled> {
    reserve().await?; // checkout
    Ok("done")
}

#[propagate]
async fn reserve() -> Result<(), Cancelled> {
    std::future::pending::<()>().await; // never ready
    Ok(())
}

/// It cannot say `Cancelled`.
#[propagate]
async fn silent() -> &'static str {
    std::future::pending::<()>().await; // silent
    "done"
}

#[propagate]
async fn shielded(ctx: Ctx) -> Result<&'static str, Cancelled> {
    let audit = ctx.detach("the audit log is written whatever happens").with_timeout(60 * SECOND);
    drop(audit.spawn(std::future::pending::<()>())); // detached
    ctx.shield(30 * SECOND, std::future::pending::<()>()).await?; // shield
    Ok("done")
}

#[propagate]
async fn both() -> Result<&'static str, Cancelled> {
    let (left, right) = tokio::join!(reserve(), slow()); // both
    left?;
    right?;
    Ok("done")
}

#[propagate]
async fn slow() -> Result<(), Cancelled> {
    tokio::time::sleep(3_600 * SECOND).await; // sleeps
    Ok(())
}

/// Code ends its context, and it does not unwind: a shield holds it.
#[propagate]
async fn leaks(ctx: Ctx) -> Result<&'static str, Cancelled> {
    let (inner, canceller) = ctx.with_cancel();
    let task = inner.spawn(hold()); // leaking task
    tokio::task::yield_now().await;
    canceller.cancel_with(Cause::Cancelled); // who ended it
    task.await??;
    Ok("done")
}

#[propagate]
async fn hold() -> Result<(), Cancelled> {
    Ctx::current().shield(3_600 * SECOND, std::future::pending::<()>()).await // holds
}

/// Gives up as its budget ends.
#[propagate(budget = "50ms")]
async fn late() -> Result<&'static str, Cancelled> {
    reserve().await?;
    Ok("done")
}

async fn quick() -> &'static str {
    "done"
}

async fn panics() -> &'static str {
    panic!("planted")
}

fn line(mark: &str) -> u64 {
    service::line(include_str!("stuck.rs"), mark)
}

fn app() -> Router {
    Router::new()
        .route("/checkout/{id}", get(checkout))
        .route("/silent", get(handler(silent)))
        .route("/shielded", get(shielded))
        .route("/both", get(handler(both)))
        .route("/leaks", get(leaks))
        .route("/late", get(handler(late)))
        .route("/quick", get(quick))
        .route("/panics", get(panics))
        .route("/gone", get(checkout))
}

/// Function, what it awaits, and the line, of each await.
fn awaits(work: &Value) -> Vec<(u64, String, String, u64)> {
    let last = |value: &Value| value.as_str().unwrap().rsplit("::").next().unwrap().to_owned();
    let one = |one: &Value| {
        assert!(one["place"]["file"].as_str().unwrap().ends_with("tests/stuck.rs"), "{work:#}");
        let line = one["place"]["line"].as_u64().unwrap();
        (one["depth"].as_u64().unwrap(), last(&one["function"]), last(&one["what"]), line)
    };
    work["awaits"].as_array().into_iter().flatten().map(one).collect()
}

fn told(list: &[(u64, &str, &str, &str)]) -> Vec<(u64, String, String, u64)> {
    let one = |(depth, function, what, mark): &(u64, &str, &str, &str)| {
        (*depth, (*function).to_owned(), (*what).to_owned(), line(mark))
    };
    list.iter().map(one).collect()
}

fn waits(name: &'static str) -> impl Fn(&Value) -> bool {
    move |work| work["name"] == name && work["awaits"].is_array()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_request_is_found_with_file_and_line() {
    let service = Service::start(app()).await;
    let _request = service.get("/checkout/7");
    let found = service.work(waits("GET /checkout/{id}")).await;
    assert_eq!(found["kind"], "request");
    assert_eq!(found["state"], "waiting");
    assert_eq!(found["trace"]["trace_id"].as_str().unwrap().len(), 32, "{found:#}");
    assert_eq!(found["budget"]["granted_ms"], 7_200_000);
    let expected = told(&[
        (0, "checkout", "reserve", "// checkout"),
        (1, "reserve", "Pending<()>", "// never ready"),
    ]);
    assert_eq!(awaits(&found), expected, "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_await_of_a_function_that_cannot_say_cancelled_is_found_too() {
    let service = Service::start(app()).await;
    let _request = service.get("/silent");
    let found = service.work(waits("GET /silent")).await;
    assert_eq!(awaits(&found), told(&[(0, "silent", "Pending<()>", "// silent")]), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_branches_of_a_join_are_found() {
    let service = Service::start(app()).await;
    let _request = service.get("/both");
    let found = service.work(waits("GET /both")).await;
    let lines: Vec<_> =
        awaits(&found).into_iter().map(|(_, function, _, line)| (function, line)).collect();
    assert!(lines.contains(&("reserve".to_owned(), line("// never ready"))), "{found:#}");
    assert!(lines.contains(&("slow".to_owned(), line("// sleeps"))), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shield_and_a_detached_task_are_found() {
    let service = Service::start(app()).await;
    let request = service.get("/shielded");
    let found = service.work(waits("GET /shielded")).await;
    let shield = &found["awaits"][0];
    assert_eq!(shield["shield"]["granted_ms"], 30_000, "{found:#}");
    assert_eq!(shield["place"]["line"], line("// shield"));
    let task = service.work(|work| work["parent"] == found["id"] && work["kind"] == "task").await;
    assert_eq!(task["detached"], "the audit log is written whatever happens", "{task:#}");
    assert_eq!(task["place"]["line"], line("// detached"));
    assert_eq!(task["budget"]["granted_ms"], 60_000);

    // The client leaves. The request has ended, and its shield keeps it: it stands on top.
    request.abort();
    let top = service.until(|snapshot| {
        let first = works(snapshot).find(|work| work["name"] == "GET /shielded")?;
        (first["state"] == "ended" && snapshot["counts"]["leaks"] != 0).then(|| first.clone())
    });
    let top = top.await;
    assert_eq!(top["end"]["cause"], "disconnected");
    assert!(top["end"]["by"].is_null(), "code of ours says nothing: {top:#}");
    assert_eq!(top["awaits"][0]["place"]["line"], line("// shield"), "{top:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_and_did_not_unwind_stands_on_top_with_who_ended_it() {
    let service = Service::start(app()).await;
    let _request = service.get("/leaks");
    let _other = service.get("/checkout/1");
    let leak = service.work(|work| {
        work["state"] == "ended" && work["kind"] == "task" && work["detached"].is_null()
    });
    let leak = leak.await;
    assert!(leak["name"].as_str().unwrap().ends_with("stuck::hold"), "{leak:#}");
    assert_eq!(leak["end"]["cause"], "cancelled");
    assert_eq!(leak["end"]["by"]["line"], line("// who ended it"), "{leak:#}");
    assert_eq!(leak["place"]["line"], line("// leaking task"));
    assert_eq!(awaits(&leak), told(&[(0, "hold", "Pending<()>", "// holds")]), "{leak:#}");
    // What ended needs a second to unwind before it counts.
    let snapshot = service.until(|all| (all["counts"]["leaks"] != 0).then(|| all.clone())).await;
    let now = snapshot["now"].as_u64().unwrap();
    let leaks = |work: &Value| work["end"]["at"].as_u64().is_some_and(|at| now - at > 1_000);
    assert!(works(&snapshot).is_sorted_by_key(|work| !leaks(work)), "{snapshot:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_told_by_family_and_by_how_long_it_took() {
    let service = Service::start(app()).await;
    for path in ["/quick", "/late", "/panics"] {
        drop(service.get(path).await.unwrap());
    }
    let request = service.get("/gone");
    service.work(waits("GET /gone")).await;
    request.abort();
    let find = |how: &'static str, name: &'static str| {
        service.until(move |snapshot| {
            let families = snapshot["recent"]["families"].as_array()?;
            let family = families.iter().find(|family| family["how"] == how)?;
            let buckets = family["buckets"].as_array()?;
            let last =
                buckets.iter().flat_map(|bucket| bucket["last"].as_array().into_iter().flatten());
            last.into_iter().find(|ended| ended["name"] == name).cloned()
        })
    };
    let quick = find("finished", "GET /quick").await;
    assert_eq!(quick["end"]["cause"], "finished");
    find("panicked", "GET /panics").await;
    let gone = find("disconnected", "GET /gone").await;
    let lines: Vec<_> =
        gone["awaits"].as_array().unwrap().iter().map(|one| one["place"]["line"].clone()).collect();
    assert_eq!(lines, [line("// checkout"), line("// never ready")], "{gone:#}");
    // The budget of a function is not that of its request, which was through.
    find("finished", "GET /late").await;
}
