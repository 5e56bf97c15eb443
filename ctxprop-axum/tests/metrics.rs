//! What is counted, as a recorder of the application sees it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

#[propagate]
async fn waits(ctx: Ctx) -> Result<String, Cancelled> {
    let _ = ctx;
    std::future::pending().await
}

/// What was counted since the last time, by name and labels.
fn counted(snapshotter: &Snapshotter) -> BTreeMap<String, String> {
    let one = |(key, _, _, value): (metrics_util::CompositeKey, _, _, DebugValue)| {
        let (_, key) = key.into_parts();
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(gauge) => gauge.to_string(),
            DebugValue::Histogram(values) => format!("{} values", values.len()),
        };
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    };
    let all = snapshotter.snapshot().into_vec().into_iter().map(one);
    // What had been counted before and was not since stays listed.
    all.filter(|(_, value)| value != "0" && value != "0 values").collect()
}

#[tokio::test]
async fn budgets_ends_and_what_is_live() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _records = metrics::set_default_local_recorder(&recorder);
    let (root, canceller) = Ctx::background().with_cancel();
    let layer = CtxLayer::mesh().under(&root).default_budget(Duration::from_secs(3_600));
    let app = Router::new().route("/", get(|| async {})).route("/waits", get(waits)).layer(layer);
    let address = common::serve(app.layer(CtxLayer::mesh().under(&root))).await;
    let rows = |rows: &[(&str, &str)]| -> BTreeMap<String, String> {
        rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };

    assert_eq!(common::get(address, "/", &[]).await.status, 200);
    assert_eq!(common::get(address, "/", &[("grpc-timeout", "1H")]).await.status, 200);
    let expected = rows(&[
        ("ctxprop_budgets_received_total{}", "1"),
        ("ctxprop_requests_total{cause=finished}", "2"),
        ("ctxprop_time_left_seconds{}", "1 values"),
    ]);
    assert_eq!(counted(&snapshotter), expected);

    assert_eq!(common::get(address, "/waits", &[("x-timeout-ms", "10")]).await.status, 504);
    let expected = rows(&[
        ("ctxprop_budgets_received_total{}", "1"),
        ("ctxprop_cancelled_by_deadline_total{deadline=caller}", "1"),
        ("ctxprop_requests_total{cause=deadline}", "1"),
        ("ctxprop_time_left_seconds{}", "1 values"),
    ]);
    assert_eq!(counted(&snapshotter), expected);

    let client = common::send(address, "/waits", &[]).await;
    while root.live_children() == 0 {
        tokio::task::yield_now().await;
    }
    drop(root.spawn(std::future::pending::<()>()));
    let other = common::send(address, "/waits", &[]).await;
    while root.live_children() < 2 {
        tokio::task::yield_now().await;
    }
    let expected = rows(&[("ctxprop_live_requests{}", "2"), ("ctxprop_live_tasks{}", "1")]);
    assert_eq!(counted(&snapshotter), expected);
    drop(client);
    while root.live_children() == 2 {
        tokio::task::yield_now().await;
    }
    canceller.cancel_with(Cause::Shutdown);
    assert_eq!(common::read(other).await.status, 503);
    let counted = counted(&snapshotter);
    assert_eq!(counted["ctxprop_requests_total{cause=disconnected}"], "1");
    assert_eq!(counted["ctxprop_requests_total{cause=shutdown}"], "1");
    // A snapshot takes what it shows: so many were there at the last one.
    assert_eq!(counted["ctxprop_live_requests{}"], "-2");
}
