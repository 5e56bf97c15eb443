//! The ids of ctxprop's spans that are being recorded, so that no second span takes the same.
//!
//! A function may well write the ids of its context into the fields of its own span, as one does for logs. That does not
//! make it the context's span.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{LazyLock, Mutex, PoisonError};

use ctxprop::SpanId;

/// Spread over several locks, since every span takes one.
static LIVE: LazyLock<[Mutex<Ids>; 16]> = LazyLock::new(Default::default);

type Ids = HashSet<u64, BuildHasherDefault<AsItIs>>;

/// Ids are random, and made here: each is its own hash.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        // Ids come as numbers.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The id of a span that is being recorded, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim(u64);

impl Claim {
    /// `None` where a live span has this id already.
    pub(super) fn of(id: SpanId) -> Option<Claim> {
        // Not made before it is known that the id is free: dropped, it would free the other's.
        let id = u64::from_be_bytes(id.to_bytes());
        let free = shard(id).lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        free.then(|| Claim(id))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        shard(self.0).lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn shard(id: u64) -> &'static Mutex<Ids> {
    // A table takes the lowest bits for places, and the highest to tell ids apart.
    &LIVE[((id >> 32) & 15) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_until_its_span_is_gone() {
        let id = ctxprop::SpanContext::root().span_id();
        let claim = Claim::of(id);
        assert!(claim.is_some() && Claim::of(id).is_none());
        drop(claim);
        assert!(Claim::of(id).is_some());
    }
}
