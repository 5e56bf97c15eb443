//! What is live: in shards, so that threads seldom meet, and bounded.
//!
//! # Invariants
//! 1. No more entries than the bound. What does not fit is counted, and let in at a later poll once there is room.
//! 2. An entry is here as long as what it tells of, and then nowhere: it holds a context.
//! 3. An entry that leaves does so with the lock released: see `entry.rs`, invariant 2.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctxprop::Ctx;
use ctxprop::observe::{self, CtxId, ObservedKind};

use crate::entry::Entry;

const SHARDS: usize = 32;

/// All entries.
pub(crate) struct Registry {
    shards: [Mutex<HashMap<u64, Arc<Entry>>>; SHARDS],
    /// The requests once more, by their contexts.
    requests: [Mutex<HashMap<CtxId, Arc<Entry>>>; SHARDS],
    len: AtomicUsize,
    most: AtomicUsize,
    untracked: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry {
            shards: std::array::from_fn(|_| Mutex::default()),
            requests: std::array::from_fn(|_| Mutex::default()),
            len: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            untracked: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_bound(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len.load(Relaxed) >= self.most.load(Relaxed)
    }

    pub(crate) fn count_untracked(&self) {
        self.untracked.fetch_add(1, Relaxed);
    }

    pub(crate) fn untracked(&self) -> u64 {
        self.untracked.load(Relaxed)
    }

    /// Threads take numbers in blocks, so the low bits are spread.
    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, Arc<Entry>>> {
        lock(&self.shards[(id % SHARDS as u64) as usize])
    }

    fn shard_of(&self, ctx: CtxId) -> MutexGuard<'_, HashMap<CtxId, Arc<Entry>>> {
        // The address of a node, whose low bits are those of its alignment.
        lock(&self.requests[(ctx.get() >> 6) % SHARDS])
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<Entry>> {
        self.shard(id).get(&id).cloned()
    }

    /// `None`, and nothing is kept, where the bound is reached.
    pub(crate) fn insert(&self, make: impl FnOnce() -> Entry) -> Option<Arc<Entry>> {
        // Two threads may both take the last place: the bound is one of memory, and not of the number.
        if self.is_full() {
            return None;
        }
        let entry = Arc::new(make());
        self.len.fetch_add(1, Relaxed);
        let known = self.shard(entry.id).insert(entry.id, Arc::clone(&entry));
        if let Some(known) = known {
            self.len.fetch_sub(1, Relaxed);
            drop(known);
        }
        if entry.kind == ObservedKind::Request {
            let known = self
                .shard_of(CtxId::of(&entry.ctx))
                .insert(CtxId::of(&entry.ctx), Arc::clone(&entry));
            drop(known);
        }
        Some(entry)
    }

    pub(crate) fn remove(&self, id: u64) -> Option<Arc<Entry>> {
        let entry = self.shard(id).remove(&id)?;
        self.len.fetch_sub(1, Relaxed);
        if entry.kind == ObservedKind::Request {
            let known = self.shard_of(CtxId::of(&entry.ctx)).remove(&CtxId::of(&entry.ctx));
            drop(known);
        }
        Some(entry)
    }

    /// The request that `ctx` belongs to, if one is live.
    pub(crate) fn request_of(&self, ctx: &Ctx) -> Option<Arc<Entry>> {
        let mut at = Some(ctx.clone());
        while let Some(ctx) = at {
            let found = self.shard_of(CtxId::of(&ctx)).get(&CtxId::of(&ctx)).cloned();
            if found.is_some() {
                return found;
            }
            at = observe::parent(&ctx);
        }
        None
    }

    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        let mut all = Vec::with_capacity(self.len.load(Relaxed));
        for shard in &self.shards {
            all.extend(lock(shard).values().cloned());
        }
        all
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut gone = Vec::new();
        for shard in &self.shards {
            gone.extend(lock(shard).drain().map(|(_, entry)| entry));
        }
        self.len.fetch_sub(gone.len(), Relaxed);
        for requests in &self.requests {
            let drained: Vec<_> = lock(requests).drain().map(|(_, entry)| entry).collect();
            gone.extend(drained);
        }
        drop(gone);
    }
}
