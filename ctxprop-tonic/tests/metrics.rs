//! What is counted at both ends of a call, as a recorder of the application sees it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Raw, client, serve};
use ctxprop::{Background, Cause, Ctx};
use ctxprop_grpc_probe::{Answer, Ask, Script};
use ctxprop_tonic::CtxLayer;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::sync::mpsc::unbounded_channel;
use tonic::{Code, Request, Response};

/// What was counted since the last time, by name and labels.
fn counted(snapshotter: &Snapshotter) -> BTreeMap<String, String> {
    let one = |(key, _, _, value): (metrics_util::CompositeKey, _, _, DebugValue)| {
        let (_, key) = key.into_parts();
        let labels: Vec<_> = key.labels().map(|label| label.value()).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(gauge) => gauge.to_string(),
            DebugValue::Histogram(values) => format!("{} values", values.len()),
        };
        (format!("{} {}", key.name(), labels.join(",")).trim_end().to_owned(), value)
    };
    let all = snapshotter.snapshot().into_vec().into_iter().map(one);
    // What had been counted before and was not since stays listed.
    all.filter(|(_, value)| value != "0" && value != "0 values").collect()
}

fn rows(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
    rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn budgets_ends_and_what_is_live() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _records = metrics::set_default_local_recorder(&recorder);
    let (sender, mut waits) = unbounded_channel();
    let script = Script::default().unary(|_| async { Ok(Response::new(Answer::default())) }).sum(
        move |_| {
            sender.send(()).expect("the test reads");
            std::future::pending()
        },
    );
    let (root, canceller) = Ctx::background().with_cancel();
    let layer = CtxLayer::mesh().under(&root).default_budget(Duration::from_secs(3_600));
    let address = serve(layer, script).await;

    // At both ends, with a budget of its own, and without one.
    let mut client = client(address);
    let ctx = Ctx::background();
    ctx.scope(client.unary(Ask::default())).await.expect("an answer");
    let mut request = Request::new(Ask::default());
    request.set_timeout(Duration::from_secs(9));
    let bounded = ctx.with_timeout(Duration::from_secs(5));
    bounded.scope(client.unary(request)).await.expect("an answer");
    let expected = rows(&[
        ("ctxprop_budgets_received_total", "1"),
        ("ctxprop_client_timeouts_shortened_by_deadline_total", "1"),
        ("ctxprop_requests_total finished", "2"),
        ("ctxprop_time_left_seconds", "2 values"),
    ]);
    assert_eq!(counted(&snapshotter), expected);

    // A deadline, which either end may see first, is counted once at each; what is not sent, at the client.
    let late = ctx.with_timeout(Duration::from_millis(100));
    let pending = || futures_util::stream::pending::<Ask>();
    let status = late.scope(client.sum(pending())).await.expect_err("late");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    late.scope(client.sum(pending())).await.expect_err("too late");
    waits.recv().await.expect("it began");
    while root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    let expected = rows(&[
        ("ctxprop_budgets_received_total", "1"),
        ("ctxprop_cancelled_by_deadline_total caller", "1"),
        ("ctxprop_client_cancelled_by_deadline_total", "2"),
        ("ctxprop_requests_total deadline", "1"),
        ("ctxprop_time_left_seconds", "1 values"),
    ]);
    assert_eq!(counted(&snapshotter), expected);

    // What is live, and who leaves.
    let mut raw = Raw::connect(address).await;
    let leaves = raw.begin("Sum", &[]).await;
    let stays = raw.begin("Sum", &[]).await;
    waits.recv().await.expect("it began");
    waits.recv().await.expect("it began");
    assert_eq!(counted(&snapshotter), rows(&[("ctxprop_live_requests", "2")]));
    drop(leaves);
    while root.live_children() == 2 {
        tokio::task::yield_now().await;
    }
    canceller.cancel_with(Cause::Shutdown);
    assert_eq!(stays.end().await.code, Some(Code::Unavailable));
    let counted = counted(&snapshotter);
    assert_eq!(counted["ctxprop_requests_total disconnected"], "1");
    assert_eq!(counted["ctxprop_requests_total shutdown"], "1");
    // A snapshot takes what it shows: so many were there at the last one.
    assert_eq!(counted["ctxprop_live_requests"], "-2");
}
