//! What has become of a pool's statements and connections, counted: [`Counters`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a pool has done since it was made: a snapshot.
///
/// Each is also a `tracing` event of the target `ctxprop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// How often the server was given a `statement_timeout` from a context's budget.
    pub bounded: u64,
    /// How often a connection was asked for with no time left, and none was taken.
    pub refused: u64,
    /// Statements that the server itself gave up because the budget was used up.
    pub timed_out: u64,
    /// Statements that the server was asked to stop, because who had asked for them was gone, and that it ran then.
    pub cancelled: u64,
    /// Connections that were closed because it was not known whether they are clean.
    pub closed: u64,
    /// Transactions that were found open on a connection that came back, and rolled back.
    pub rolled_back: u64,
    /// Commits whose answer was lost.
    pub unknown_commits: u64,
}

/// One thing to count.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Bounded,
    Refused,
    TimedOut,
    Cancelled,
    Closed,
    RolledBack,
    UnknownCommit,
}

#[derive(Debug, Default)]
pub(crate) struct Counts([AtomicU64; 7]);

impl Counts {
    pub(crate) fn add(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        let of = |event: Event| self.0[event as usize].load(Relaxed);
        Counters {
            bounded: of(Event::Bounded),
            refused: of(Event::Refused),
            timed_out: of(Event::TimedOut),
            cancelled: of(Event::Cancelled),
            closed: of(Event::Closed),
            rolled_back: of(Event::RolledBack),
            unknown_commits: of(Event::UnknownCommit),
        }
    }
}
