//! From what remains of a context to PostgreSQL's `statement_timeout`. No SQL here, and no clock but the context's.
//!
//! # Invariants
//! 1. The server gives up a little before the context ends, so that its own error comes first and there is time left to
//!    answer.
//! 2. `statement_timeout` is a signed 32-bit number of milliseconds, and 0 switches it off: what is sent is at least 1,
//!    and a budget that does not fit is not sent.

use std::time::Duration;

use ctxprop::{Cancelled, Cause, Ctx};
use tokio::time::Instant;

/// What is less is not worth a round trip, and cannot be written in milliseconds.
const LEAST: Duration = Duration::from_millis(1);
/// What of a long budget is kept back, at most.
const MARGIN: Duration = Duration::from_millis(20);
/// Of a short one it is this share.
const SHARE: u32 = 20;

/// When the server is to give up a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout {
    millis: i32,
    since: Instant,
}

impl Timeout {
    /// What the server is told for `ctx`: nothing where the budget has no end, or one that does not fit.
    ///
    /// # Errors
    ///
    /// The context has ended, or less than a millisecond remains.
    pub(crate) fn of(ctx: &Ctx) -> Result<Option<Timeout>, Cancelled> {
        ctx.check()?;
        match ctx.remaining() {
            None => Ok(None),
            Some(left) if left < LEAST => Err(Cancelled::new(Cause::DeadlineExceeded)),
            Some(left) => Ok(within(left).map(|millis| Timeout { millis, since: Instant::now() })),
        }
    }

    /// In milliseconds, at least 1.
    pub(crate) fn millis(self) -> i32 {
        self.millis
    }

    /// Whether it can be this timeout that has stopped a statement: no statement under it ran out of time earlier.
    pub(crate) fn may_have_passed(self) -> bool {
        let timeout = Duration::from_millis(u64::from(self.millis.unsigned_abs()));
        // The server rounds to whole milliseconds, and its clock is not ours.
        self.since.elapsed() + LEAST >= timeout
    }
}

/// The milliseconds a statement may take where `left` remains.
fn within(left: Duration) -> Option<i32> {
    let margin = (left / SHARE).clamp(LEAST, MARGIN);
    let millis = left.saturating_sub(margin).as_millis();
    i32::try_from(millis).ok().map(|millis| millis.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctxprop::Background;

    #[test]
    fn a_little_below_what_remains() {
        let millis = |left| within(Duration::from_millis(left));
        assert_eq!(millis(1), Some(1));
        assert_eq!(millis(10), Some(9));
        assert_eq!(millis(100), Some(95));
        assert_eq!(millis(30_000), Some(29_980));
    }

    #[test]
    fn what_does_not_fit_is_not_sent() {
        let most = u64::from(i32::MAX.unsigned_abs());
        assert_eq!(within(Duration::from_millis(most)), Some(i32::MAX - 20));
        assert_eq!(within(Duration::from_millis(most + 100)), None);
        assert_eq!(within(Duration::MAX), None);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_left_is_refused() {
        let root = Ctx::background();
        assert!(matches!(Timeout::of(&root), Ok(None)));
        let none = root.with_timeout(Duration::ZERO);
        assert!(Timeout::of(&none).is_err_and(|error| error.is_deadline()));
        let hardly = root.with_timeout(Duration::from_micros(900));
        assert!(Timeout::of(&hardly).is_err_and(|error| error.is_deadline()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_stop_is_somebody_elses() {
        let ctx = Ctx::background().with_timeout(Duration::from_millis(100));
        let timeout = Timeout::of(&ctx).unwrap().unwrap();
        tokio::time::advance(Duration::from_millis(50)).await;
        assert!(!timeout.may_have_passed());
        tokio::time::advance(Duration::from_millis(45)).await;
        assert!(timeout.may_have_passed());
    }
}
