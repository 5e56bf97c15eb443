//! [`Ring`]: the requests that ended last, by how they ended and how long they took, as Go's `/debug/requests` has them.
//!
//! # Invariants
//! 1. It is bounded: so many requests for each bucket of each family. The slow ones are not pushed out by the quick ones.
//! 2. No context is kept: of a request that is over only what was written down is left.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctxprop::Cause;

use crate::clock;
use crate::entry::Entry;
use crate::look;
use crate::model::{Bucket, Ended, Family, How, Recent};

/// The upper bounds of the buckets, in milliseconds: those of Go, with one for what answers at once.
const BOUNDS: [u64; 7] = [10, 50, 100, 200, 500, 1_000, 10_000];
const BUCKETS: usize = BOUNDS.len() + 1;
/// So many are kept in each.
const KEPT: usize = 10;

const FAMILIES: [How; 6] =
    [How::Finished, How::Deadline, How::Disconnected, How::Shutdown, How::Panicked, How::Cancelled];

/// See the module.
pub(crate) struct Ring([Mutex<[Kept; BUCKETS]>; FAMILIES.len()]);

#[derive(Default)]
struct Kept {
    count: u64,
    last: VecDeque<Ended>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn how(cause: Option<&Cause>) -> How {
    match cause {
        _ if std::thread::panicking() => How::Panicked,
        None | Some(Cause::Finished) => How::Finished,
        Some(Cause::DeadlineExceeded) => How::Deadline,
        Some(Cause::Disconnected) => How::Disconnected,
        Some(Cause::Shutdown) => How::Shutdown,
        Some(_) => How::Cancelled,
    }
}

impl Ring {
    pub(crate) fn new() -> Ring {
        Ring(std::array::from_fn(|_| Mutex::default()))
    }

    /// The request is over.
    pub(crate) fn push(&self, entry: &Entry) {
        let how = how(entry.ctx.cause().as_ref());
        let ended = look::ended(entry, how);
        let bucket =
            BOUNDS.iter().position(|bound| ended.took_ms <= *bound).unwrap_or(BOUNDS.len());
        let Some(family) = FAMILIES.iter().position(|family| *family == how) else { return };
        let mut family = lock(&self.0[family]);
        let kept = &mut family[bucket];
        kept.count += 1;
        let oldest = if kept.last.len() == KEPT { kept.last.pop_back() } else { None };
        kept.last.push_front(ended);
        drop(family);
        drop(oldest);
    }

    pub(crate) fn clear(&self) {
        for family in &self.0 {
            let old = std::mem::take(&mut *lock(family));
            drop(old);
        }
    }

    pub(crate) fn told(&self) -> Recent {
        let bucket =
            |kept: &Kept| Bucket { count: kept.count, last: kept.last.iter().cloned().collect() };
        let families = FAMILIES.iter().zip(&self.0).map(|(how, family)| Family {
            how: *how,
            buckets: lock(family).iter().map(bucket).collect(),
        });
        Recent { bounds_ms: BOUNDS.to_vec(), families: families.collect() }
    }
}

/// Since when it is told of, or how long it took.
pub(crate) fn took(entry: &Entry) -> u64 {
    clock::now().saturating_sub(entry.began)
}
