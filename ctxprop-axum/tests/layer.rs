//! The layer against real requests: what is believed, what is refused, and what the answer says.

#[path = "support/common.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use common::serve;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[propagate]
async fn told(ctx: Ctx) -> String {
    let baggage: Vec<_> =
        ctx.baggage_map().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let parent = ctx.span().parent_id().map(|id| id.to_string()).unwrap_or_default();
    let budget = ctx.remaining().map_or(0, |left| left.as_millis());
    format!("{} {parent} {} {budget}", ctx.span().trace_id(), baggage.join(","))
}

/// Waits for the end, and says so.
#[propagate]
async fn waits() -> Result<String, Cancelled> {
    std::future::pending().await
}

#[propagate]
async fn handler(ctx: Ctx) -> Result<String, Cancelled> {
    assert!(!ctx.is_done());
    waits().await
}

#[tokio::test]
async fn without_the_layer_the_extractor_says_which_one_is_missing() {
    let address = serve(Router::new().route("/", get(told))).await;
    let answer = common::get(address, "/", &[]).await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.contains("CtxLayer::edge()") && answer.body.contains("CtxLayer::mesh()"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn an_optional_context_is_none_without_the_layer() {
    let app =
        Router::new().route("/", get(|ctx: Option<Ctx>| async move { ctx.is_none().to_string() }));
    assert_eq!(common::get(serve(app).await, "/", &[]).await.body, "true");
}

#[tokio::test]
async fn an_edge_starts_a_new_trace_and_takes_no_baggage_and_no_longer_budget() {
    let layer = CtxLayer::edge().default_budget(Duration::from_secs(10));
    let address = serve(Router::new().route("/", get(told)).layer(layer)).await;
    let headers = [("traceparent", PARENT), ("baggage", "user.id=7"), ("x-timeout-ms", "60000")];
    let body = common::get(address, "/", &headers).await.body;
    let parts: Vec<_> = body.split(' ').collect();
    assert_ne!(parts[0], TRACE);
    assert_eq!(parts[1..3], ["", ""]);
    assert!((9_000..=10_000).contains(&parts[3].parse::<u64>().unwrap()), "{body}");
}

#[tokio::test]
async fn an_edge_takes_what_it_was_told_to_take() {
    let layer = CtxLayer::edge().accept_trace().accept_baggage(["tenant", "region"]);
    let address = serve(Router::new().route("/", get(told)).layer(layer)).await;
    let headers = [
        ("traceparent", PARENT),
        ("baggage", "user.id=7, tenant=acme, Tenant=other"),
        ("baggage", "tenant.id=1,region=eu;zone=2"),
    ];
    let body = common::get(address, "/", &headers).await.body;
    assert_eq!(body, format!("{TRACE} b7ad6b7169203331 tenant=acme,region=eu 0"));

    // The older id is a trace too.
    let address = serve(Router::new().route("/", get(told)).layer(CtxLayer::edge())).await;
    let body = common::get(address, "/", &[("x-trace-id", TRACE)]).await.body;
    assert!(!body.starts_with(TRACE) && !body.starts_with("000"), "{body}");
}

#[tokio::test]
async fn the_most_that_is_granted() {
    for (layer, asked, most) in [
        (CtxLayer::mesh().max_budget(Duration::from_secs(20)), Some("60000"), 20_000),
        (CtxLayer::mesh().max_budget(Duration::from_secs(20)), None, 20_000),
        (CtxLayer::edge().max_budget(Duration::from_secs(20)), Some("9999999999999"), 20_000),
        (CtxLayer::edge().default_budget(Duration::from_secs(20)), Some("99999999S"), 20_000),
        (CtxLayer::mesh().default_budget(Duration::from_secs(20)), Some("60000"), 60_000),
    ] {
        let row = format!("{layer:?} {asked:?}");
        let address = serve(Router::new().route("/", get(told)).layer(layer)).await;
        let headers: Vec<_> = asked.map(|asked| ("x-timeout-ms", asked)).into_iter().collect();
        let body = common::get(address, "/", &headers).await.body;
        let (_, budget) = body.rsplit_once(' ').unwrap();
        let budget: u64 = budget.parse().unwrap();
        assert!((most - 5_000..=most).contains(&budget), "{row}: {budget}");
    }
}

#[tokio::test]
async fn a_mesh_takes_trace_baggage_and_budget() {
    let address = serve(Router::new().route("/", get(told)).layer(CtxLayer::mesh())).await;
    let headers = [
        ("traceparent", PARENT),
        ("baggage", "user.id=7, tenant=a%20b"),
        ("x-timeout-ms", "60000"),
    ];
    let body = common::get(address, "/", &headers).await.body;
    let (told, budget) = body.rsplit_once(' ').unwrap();
    assert_eq!(told, format!("{TRACE} b7ad6b7169203331 user.id=7,tenant=a b"));
    assert!((50_000..=60_000).contains(&budget.parse::<u64>().unwrap()), "{body}");
}

#[tokio::test]
async fn malformed_headers_never_fail_a_request() {
    let address = serve(Router::new().route("/", get(told)).layer(CtxLayer::mesh())).await;
    let long = "k=v,".repeat(3_000);
    for headers in [
        vec![("traceparent", "00-1-1-01"), ("baggage", "=,;,\u{e9}"), ("x-timeout-ms", "-1")],
        vec![
            ("traceparent", PARENT),
            ("traceparent", PARENT),
            ("tracestate", "@=@"),
            ("x-deadline", "soon"),
        ],
        vec![
            ("baggage", &long),
            ("x-timeout-ms", "9223372036854775808"),
            ("x-deadline", "2999-01-01T00:00:00Z"),
        ],
        vec![
            ("baggage", "k=\u{e9}\u{fffd}"),
            ("x-timeout-ms", "99999999999999999999999"),
            ("x-trace-id", "xyz"),
        ],
    ] {
        let answer = common::get(address, "/", &headers).await;
        assert_eq!(answer.status, 200, "{headers:?}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_deadline_in_the_handler_is_504_and_says_whose_it_was() {
    let layer = CtxLayer::mesh().default_budget(Duration::from_millis(20));
    let address = serve(Router::new().route("/", get(handler)).layer(layer)).await;
    let own = common::get(address, "/", &[]).await;
    assert_eq!((own.status, own.header("x-deadline-exceeded")), (504, Some("server")));
    assert_eq!(own.body, "the deadline passed: the budget was 20ms");
    let callers = common::get(address, "/", &[("x-timeout-ms", "10")]).await;
    assert_eq!((callers.status, callers.header("x-deadline-exceeded")), (504, Some("caller")));
}

#[tokio::test]
async fn a_handler_that_cannot_unwind_is_dropped_at_the_deadline() {
    let layer = CtxLayer::edge().default_budget(Duration::from_millis(20));
    let app = Router::new().route("/", get(std::future::pending::<String>)).layer(layer);
    let answer = common::get(serve(app).await, "/", &[]).await;
    assert_eq!((answer.status, answer.header("x-deadline-exceeded")), (504, Some("server")));
}

#[tokio::test]
async fn a_handler_may_answer_something_else_than_504() {
    #[propagate]
    async fn falls_back(ctx: Ctx) -> String {
        match waits().await {
            Ok(answer) => answer,
            Err(cancelled) => format!("stale: {cancelled}, {}", ctx.is_done()),
        }
    }
    let layer = CtxLayer::edge().default_budget(Duration::from_millis(20));
    let answer =
        common::get(serve(Router::new().route("/", get(falls_back)).layer(layer)).await, "/", &[])
            .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "stale: the deadline passed: the budget was 20ms, true");
    assert_eq!(answer.header("x-deadline-exceeded"), None);
}

#[tokio::test]
async fn what_cannot_be_done_in_time_never_runs() {
    let calls = Arc::new(AtomicU32::new(0));
    let count = |Extension(calls): Extension<Arc<AtomicU32>>| async move {
        calls.fetch_add(1, Ordering::SeqCst).to_string()
    };
    let layer = CtxLayer::mesh().min_budget(Duration::from_secs(1));
    let app =
        Router::new().route("/", get(count)).layer(Extension(Arc::clone(&calls))).layer(layer);
    let address = serve(app).await;
    for budget in ["0", "999", "1"] {
        let answer = common::get(address, "/", &[("x-timeout-ms", budget)]).await;
        assert_eq!(
            (answer.status, answer.header("x-deadline-exceeded")),
            (504, Some("caller")),
            "{budget}"
        );
    }
    let past = common::get(address, "/", &[("x-deadline", "2020-01-01T00:00:00Z")]).await;
    assert_eq!(past.status, 200, "60 s of skew and more is not a budget");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(common::get(address, "/", &[("x-timeout-ms", "60000")]).await.body, "1");
}

#[tokio::test]
async fn a_shutdown_is_503() {
    let (root, canceller) = Ctx::background().with_cancel();
    let app = Router::new().route("/", get(handler)).layer(CtxLayer::mesh().under(&root));
    let address = serve(app).await;
    let stream = common::send(address, "/", &[]).await;
    while root.live_children() == 0 {
        tokio::task::yield_now().await;
    }
    canceller.cancel_with(Cause::Shutdown);
    let answer = common::read(stream).await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "the process is shutting down"));
    assert_eq!(answer.header("x-deadline-exceeded"), None);
    let late = common::get(address, "/", &[]).await;
    assert_eq!(
        (late.status, late.body.as_str()),
        (503, ""),
        "a request that comes later never runs"
    );
}

#[tokio::test]
async fn the_trace_id_is_echoed_on_request() {
    let app = Router::new().route("/", get(told)).layer(CtxLayer::mesh().echo_trace_id());
    let answer = common::get(serve(app).await, "/", &[("traceparent", PARENT)]).await;
    assert_eq!(answer.header("x-trace-id"), Some(TRACE));

    // At the edge it is the trace that began there.
    let app = Router::new().route("/", get(told)).layer(CtxLayer::edge().echo_trace_id());
    let answer = common::get(serve(app).await, "/", &[("traceparent", PARENT)]).await;
    let echoed = answer.header("x-trace-id").expect("an id");
    assert!(echoed != TRACE && answer.body.starts_with(echoed), "{}", answer.body);
}

#[tokio::test]
async fn only_the_layer_says_whose_deadline_it_was() {
    async fn forged(uri: axum::http::Uri) -> axum::response::Response {
        use axum::response::IntoResponse;
        let status = uri.path()[1..].parse().expect("a status");
        let status = axum::http::StatusCode::from_u16(status).expect("a status");
        (status, [("x-deadline-exceeded", "caller")]).into_response()
    }
    let layer = CtxLayer::edge().default_budget(Duration::from_secs(60));
    let address = serve(Router::new().fallback(forged).layer(layer)).await;
    for path in ["/200", "/503", "/504"] {
        let headers = [("x-deadline-exceeded", "caller"), ("x-timeout-ms", "60000")];
        let answer = common::get(address, path, &headers).await;
        assert_eq!(
            (answer.status.to_string(), answer.header("x-deadline-exceeded")),
            (path[1..].to_owned(), None)
        );
    }
}

#[tokio::test]
async fn a_context_is_under_the_root_it_was_given() {
    let root = Ctx::background().with_value("the root's value");
    let app = Router::new()
        .route("/", get(|ctx: Ctx| async move { ctx.value::<&str>().copied().unwrap_or("none") }))
        .layer(CtxLayer::edge().under(&root));
    assert_eq!(common::get(serve(app).await, "/", &[]).await.body, "the root's value");
}

/// (asked, granted to the rest, to /reports, to /events/{id}), in milliseconds.
#[tokio::test]
async fn a_route_may_have_a_budget_of_its_own_or_none() {
    async fn granted(ctx: Ctx) -> String {
        ctx.remaining().map_or("none".to_owned(), |left| left.as_millis().to_string())
    }
    let base = CtxLayer::edge().default_budget(Duration::from_secs(1_000));
    let routes = || {
        let inner = Router::new().route("/{id}", get(granted));
        Router::new().route("/rest", get(granted)).nest("/events", inner)
    };
    let one = Router::new().route("/reports", get(granted)).merge(routes()).layer(
        base.clone()
            .route_budget("/events/{id}", None)
            .route_budget("/reports", Duration::from_secs(9_000)),
    );
    let events = Router::new().route("/events/{id}", get(granted)).layer(base.clone().no_budget());
    let reports = Router::new().route("/reports", get(granted));
    let side_by_side = Router::new()
        .route("/rest", get(granted))
        .layer(base.clone())
        .merge(events)
        .merge(reports.layer(base.budget(Duration::from_secs(9_000))));
    for app in [one, side_by_side] {
        let address = serve(app).await;
        for (asked, path, most) in [
            (None, "/rest", Some(1_000_000)),
            (None, "/reports", Some(9_000_000)),
            (None, "/events/1", None),
            (Some("500000"), "/rest", Some(500_000)),
            (Some("500000"), "/reports", Some(500_000)),
            (Some("500000"), "/events/1", Some(500_000)),
            (Some("99000000"), "/rest", Some(1_000_000)),
            (Some("99000000"), "/reports", Some(9_000_000)),
            (Some("99000000"), "/events/1", Some(99_000_000)),
        ] {
            let headers: Vec<_> = asked.map(|asked| ("x-timeout-ms", asked)).into_iter().collect();
            let body = common::get(address, path, &headers).await.body;
            match most {
                None => assert_eq!(body, "none", "{asked:?} {path}"),
                Some(most) => {
                    let granted: u64 = body.parse().unwrap();
                    assert!(
                        (most - 100_000..=most).contains(&granted),
                        "{asked:?} {path}: {granted}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn under_another_layer_no_budget_is_that_ones() {
    async fn granted(ctx: Ctx) -> String {
        ctx.remaining().is_some_and(|left| left <= Duration::from_secs(10)).to_string()
    }
    let app = Router::new().route("/", get(granted)).layer(CtxLayer::mesh().no_budget());
    let app = app.layer(CtxLayer::edge().default_budget(Duration::from_secs(10)));
    assert_eq!(common::get(serve(app).await, "/", &[]).await.body, "true");
}
