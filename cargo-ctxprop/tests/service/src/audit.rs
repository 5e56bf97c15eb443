//! Compiled with the feature `audit` only.

pub async fn record(item: &str) {
    flush(item.len()).await;
}

async fn flush(_: usize) {}
