//! A stream, in a macro with a language of its own.

use async_stream::stream;
use futures::Stream;

use crate::Shared;

pub async fn changes(store: Shared, id: u64) -> impl Stream<Item = String> {
    stream! {
        let mut last = None;
        for _ in 0..3 {
            let now = store.load(id).await;
            if let Some(item) = &now && now != last {
                yield item.clone();
            }
            last = now;
        }
    }
}
