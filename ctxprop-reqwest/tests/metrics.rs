//! What is counted of requests that are sent, as a recorder of the application sees it.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use common::{Server, status};
use ctxprop::{Background, Ctx};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

#[tokio::test]
async fn timeouts_deadlines_and_retries() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _records = metrics::set_default_local_recorder(&recorder);
    let server = Server::ok().await;
    let fails = Server::start(|_| async { status(503) }).await;
    let client = server.client().retry_budget(None).build().unwrap();
    let frugal = fails.client().retry_budget(0.0).build().unwrap();
    let minute = Duration::from_secs(60);
    let ctx = Ctx::background().with_timeout(minute);

    // Longer than the budget, shorter, and none: one is shortened.
    for timeout in [Some(2 * minute), Some(minute / 2), None] {
        let mut request = client.get(server.url("/"));
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        request.send().with(&ctx).await.unwrap();
    }
    // Without a deadline nothing is shortened.
    client.get(server.url("/")).timeout(minute).send().with(&Ctx::background()).await.unwrap();
    let late = Ctx::background().with_timeout(Duration::ZERO);
    client.get(server.url("/")).send().with(&late).await.unwrap_err();
    let (gone, canceller) = Ctx::background().with_cancel();
    canceller.cancel();
    client.get(server.url("/")).send().with(&gone).await.unwrap_err();
    client.get(fails.url("/")).retry(2).send().with(&ctx).await.unwrap();
    frugal.get(fails.url("/")).retry(2).send().with(&ctx).await.unwrap();

    let mut counted: Vec<_> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| match value {
            DebugValue::Counter(count) => (key.key().name().to_owned(), count),
            other => panic!("no counter: {other:?}"),
        })
        .collect();
    counted.sort();
    assert_eq!(
        counted.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>(),
        [
            ("ctxprop_client_cancelled_by_deadline_total", 1),
            ("ctxprop_client_retries_refused_total", 1),
            ("ctxprop_client_retries_total", 2),
            ("ctxprop_client_timeouts_shortened_by_deadline_total", 1),
        ]
    );
}
