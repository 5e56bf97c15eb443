//! From the clocks of this process to Unix time in milliseconds.
//!
//! # Invariants
//! 1. One pair of readings, of the first use, is what all is counted from: the same instant always gives the same number, so
//!    that what did not change reads the same. A clock of the machine that is set later changes nothing.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

struct Base {
    unix: u64,
    std: Instant,
    tokio: tokio::time::Instant,
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| Base {
        unix: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis),
        std: Instant::now(),
        tokio: tokio::time::Instant::now(),
    })
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Now.
pub(crate) fn now() -> u64 {
    let base = base();
    base.unix.saturating_add(millis(base.std.elapsed()))
}

/// When a deadline passes, or an end came.
pub(crate) fn at(at: tokio::time::Instant) -> u64 {
    let base = base();
    match at.checked_duration_since(base.tokio) {
        Some(after) => base.unix.saturating_add(millis(after)),
        None => base.unix.saturating_sub(millis(base.tokio.saturating_duration_since(at))),
    }
}
