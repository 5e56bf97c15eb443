//! Deadlines: how long a context may last, and what remains of it.
//!
//! Waiting for one is above this floor; ending a context whose deadline passed is `ended.rs`.

use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::ctx::Ctx;
use super::header::Additions;

/// When a context ends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// What was granted when it was set, for the message of [`Cancelled`](crate::Cancelled): nanoseconds, of which 584 years
    /// fit.
    pub(crate) budget: u64,
}

impl Deadline {
    /// `budget` from now; `None` where that is beyond what the clock can tell, which is as good as never.
    #[inline]
    pub(crate) fn after(budget: Duration) -> Option<Deadline> {
        Instant::now().checked_add(budget).map(|at| Deadline { at, budget: nanos(budget) })
    }

    #[inline]
    pub(crate) fn until(at: Instant) -> Deadline {
        Deadline { at, budget: nanos(at.saturating_duration_since(Instant::now())) }
    }
}

/// All that is longer than fits counts as the longest that does.
#[inline]
fn nanos(budget: Duration) -> u64 {
    let secs = budget.as_secs().saturating_mul(1_000_000_000);
    secs.saturating_add(budget.subsec_nanos().into())
}

/// No timer runs longer: what the clock of tokio can tell ends somewhere, and a timer that fires before the deadline
/// is made anew.
const LONGEST_TIMER: Duration = Duration::from_secs(365 * 86_400);

/// A timer for `deadline`, where the clock has just told that it is `now`, and the runtime that drives it. Without a runtime
/// there is none: the deadline is noticed when somebody looks.
pub(crate) fn timer(deadline: Instant, now: Instant) -> Option<(Id, Sleep)> {
    let runtime = Handle::try_current().ok()?.id();
    let far = deadline.saturating_duration_since(now) >= LONGEST_TIMER;
    Some((runtime, if far { sleep(LONGEST_TIMER) } else { sleep_until(deadline) }))
}

impl Ctx {
    /// A child that ends `timeout` from now, or with its parent if that is earlier.
    ///
    /// A timeout of zero gives a context that has already ended; one beyond what the clock can tell, such as
    /// [`Duration::MAX`], adds no deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    ///
    /// let outer = Ctx::background().with_timeout(Duration::from_secs(1));
    /// let inner = outer.with_timeout(Duration::from_secs(60)); // nothing extends a deadline
    /// assert_eq!(inner.deadline(), outer.deadline());
    /// ```
    #[doc(alias = "WithTimeout")]
    #[doc(alias = "WithTimeoutCause")]
    #[must_use = "contexts are immutable: the deadline is the new one's"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_timeout(&self, timeout: Duration) -> Ctx {
        self.with_own_deadline(Deadline::after(timeout))
    }

    /// A child that ends at `deadline`, or with its parent if that is earlier.
    ///
    /// A deadline in the past gives a context that has already ended. Time is tokio's, so that
    /// `tokio::time::pause` governs it in tests.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    /// use tokio::time::Instant;
    ///
    /// let at = Instant::now() + Duration::from_secs(5);
    /// let ctx = Ctx::background().with_deadline(at);
    /// assert_eq!(ctx.deadline(), Some(at));
    /// ```
    #[doc(alias = "WithDeadline")]
    #[doc(alias = "WithDeadlineCause")]
    #[must_use = "contexts are immutable: the deadline is the new one's"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_deadline(&self, deadline: Instant) -> Ctx {
        self.with_own_deadline(Some(Deadline::until(deadline)))
    }

    /// A child that may use the fraction `share` of what remains, so that the caller keeps the rest.
    ///
    /// `share` is taken between 0 and 1 (and as 0 where it is not a number). Without a deadline there is
    /// nothing to share, and the child has none either.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    ///
    /// let ctx = Ctx::background().with_timeout(Duration::from_secs(10));
    /// let first_try = ctx.with_budget_share(0.4);
    /// assert!(first_try.remaining().unwrap() <= Duration::from_secs(4));
    /// ```
    #[must_use = "contexts are immutable: the deadline is the new one's"]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn with_budget_share(&self, share: f64) -> Ctx {
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        // A share of at most 1 of a duration is a duration.
        let budget = self.remaining().map(|left| left.mul_f64(share).min(left));
        self.with_own_deadline(budget.and_then(Deadline::after))
    }

    /// When this context ends at the latest, by tokio's clock; `None` where there is no deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.node().deadline
    }

    /// The budget: the time until the deadline, zero once it has passed, `None` where there is none.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline().map(|at| at.saturating_duration_since(Instant::now()))
    }

    #[inline(always)]
    #[cfg_attr(feature = "observe", track_caller)]
    fn with_own_deadline(&self, deadline: Option<Deadline>) -> Ctx {
        self.child(Additions { deadline, ..Additions::default() }, ())
    }
}
