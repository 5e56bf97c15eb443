//! Where items are kept: a trait under `#[async_trait]`, one implementation, and functions that call it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;

#[async_trait]
pub trait Store: Send + Sync {
    async fn load(&self, id: u64) -> Option<String>;

    async fn save(&self, id: u64, item: String);

    /// Both, one after the other.
    async fn swap(&self, id: u64, item: String) -> Option<String> {
        let old = self.load(id).await;
        self.save(id, item).await;
        old
    }
}

#[derive(Default)]
pub struct Memory {
    items: Mutex<BTreeMap<u64, String>>,
}

#[async_trait]
impl Store for Memory {
    async fn load(&self, id: u64) -> Option<String> {
        self.items.lock().ok()?.get(&id).cloned()
    }

    async fn save(&self, id: u64, item: String) {
        self.write(id, item).await;
    }
}

impl Memory {
    /// Named as a handler is, which is another function.
    pub async fn show(&self) -> usize {
        self.items.lock().map_or(0, |items| items.len())
    }

    async fn write(&self, id: u64, item: String) {
        if let Ok(mut items) = self.items.lock() {
            items.insert(id, item);
        }
    }
}

/// Calls that are made in a closure and awaited elsewhere.
pub async fn load_all(store: &dyn Store, ids: &[u64]) -> Vec<Option<String>> {
    join_all(ids.iter().map(|id| load_within(store, *id))).await
}

/// A call that is awaited by another function.
async fn load_within(store: &dyn Store, id: u64) -> Option<String> {
    let wait = Duration::from_secs(1);
    tokio::time::timeout(wait, store.load(id)).await.ok().flatten()
}

/// No context comes here.
pub fn load_blocking(store: &dyn Store, id: u64) -> std::io::Result<Option<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(store.load(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn filled() -> Memory {
        let store = Memory::default();
        store.save(1, "one".to_owned()).await;
        store
    }

    #[tokio::test]
    async fn what_was_there_comes_back() {
        let store = filled().await;
        assert_eq!(store.swap(1, "two".to_owned()).await.as_deref(), Some("one"));
        assert_eq!(store.load(1).await.as_deref(), Some("two"));
    }
}
