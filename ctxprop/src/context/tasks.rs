//! The tasks of one root: how many are left, which the root waits for, and which they are, for whoever must name them.
//!
//! # Invariants
//! 1. A task is on the list exactly as long as it is counted.
//! 2. The list is cut into shards by the thread that spawns: threads do not meet in a lock but where a task ends on another.
//! 3. Contexts are dropped outside of the locks: the last handle of one may run foreign code.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::Location;

use tokio_util::task::TaskTracker;

use super::ctx::Ctx;
use crate::fault::{Fault, planted};
use crate::sync::{Mutex, lock, thread_number};

const SHARDS: usize = 8;

/// Fewer than these are not worth giving memory back for.
const FEW: usize = 64;

/// Where a task is on the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    shard: usize,
    number: u64,
}

/// What is known of a task: whose it is, and where it was spawned.
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) ctx: Ctx,
    pub(crate) spawned_at: &'static Location<'static>,
}

/// A line of a cache for each, so that what one thread does is not seen by another.
#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    next: u64,
    listed: HashMap<u64, Listed, BuildHasherDefault<Spread>>,
}

/// Numbers that follow each other are spread by one multiplication (Knuth's): they come from nobody who could choose them.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The tasks of one root.
pub(crate) struct Tasks {
    tracker: TaskTracker,
    shards: [Shard; SHARDS],
}

impl Tasks {
    pub(super) fn new() -> Tasks {
        let tracker = TaskTracker::new();
        // A closed tracker still takes tasks; closed is what lets `wait` return whenever none is left.
        tracker.close();
        Tasks { tracker, shards: Default::default() }
    }

    /// Counts them.
    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Puts a task on the list.
    pub(crate) fn add(&self, task: Listed) -> Place {
        let shard = thread_number() % SHARDS;
        let mut lists = lock(&self.shards[shard].0);
        let number = lists.next;
        lists.next += 1;
        lists.listed.insert(number, task);
        Place { shard, number }
    }

    /// Takes it off.
    pub(crate) fn remove(&self, place: Place) {
        let here = planted(Fault::TakesOffHere).then(|| thread_number() % SHARDS);
        let mut lists = lock(&self.shards[here.unwrap_or(place.shard)].0);
        let gone = lists.listed.remove(&place.number);
        if lists.listed.capacity() > FEW.max(8 * lists.listed.len()) {
            let twice = 2 * lists.listed.len();
            lists.listed.shrink_to(twice);
        }
        drop(lists);
        drop(gone); // invariant 3
    }

    /// All of them, in no order.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(lock(&shard.0).listed.values().cloned());
        }
        all
    }
}
