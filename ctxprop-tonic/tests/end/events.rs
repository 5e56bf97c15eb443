//! Events: what a handler tells a test, as text.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

pub(crate) type Events = UnboundedSender<String>;

pub(crate) async fn next(events: &mut UnboundedReceiver<String>) -> String {
    events.recv().await.expect("the server lives")
}

pub(crate) async fn all(events: &mut UnboundedReceiver<String>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(next(events).await);
    }
    seen.sort();
    seen
}
