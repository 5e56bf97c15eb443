//! How many retries a client may make altogether: a share of its requests, so that a server that fails is not asked as
//! many times more as its clients are patient.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// The share of requests that may be repeated where nobody says otherwise: reqwest's own.
const SHARE: f64 = 0.2;

/// How many retries are there at the beginning, and after a while in which none was made: a client that sends little
/// would have none otherwise.
const RESERVE: f64 = 10.0;

/// How many of them come back a second.
const A_SECOND: f64 = 1.0;

/// The most that can be saved up: what a long good time earned must not all be spent in a bad moment.
const MOST_EARNED: f64 = 100.0;

/// The budget of one client and its clones. Requests that ask for no retries neither earn nor cost anything.
#[derive(Debug)]
pub(crate) struct Budget {
    /// `None`: as many as the requests ask for.
    share: Option<f64>,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    earned: f64,
    reserve: f64,
    /// When the reserve was last reckoned.
    at: Option<Instant>,
}

impl Budget {
    /// One that allows this share; more than all requests is all of them, and what is no number is none.
    pub(crate) fn new(share: Option<f32>) -> Self {
        let share = share.map(|share| if share > 0.0 { f64::from(share.min(1.0)) } else { 0.0 });
        let reserve = if share == Some(0.0) { 0.0 } else { RESERVE };
        Budget { share, left: Mutex::new(Left { earned: 0.0, reserve, at: None }) }
    }

    /// A request is sent that may be repeated.
    pub(crate) fn earn(&self) {
        let Some(share) = self.share else { return };
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.earned = (left.earned + share).min(MOST_EARNED);
    }

    /// Takes one retry; false where there is none.
    pub(crate) fn spend(&self) -> bool {
        let Some(share) = self.share else { return true };
        if share == 0.0 {
            return false;
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = left.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        left.reserve = (left.reserve + passed * A_SECOND).min(RESERVE);
        left.at = Some(now);
        let Left { earned, reserve, .. } = &mut *left;
        let from = if *earned >= 1.0 { earned } else { reserve };
        let has_one = *from >= 1.0;
        if has_one {
            *from -= 1.0;
        }
        has_one
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::new(Some(SHARE as f32))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spent(budget: &Budget) -> usize {
        (0..1_000).take_while(|_| budget.spend()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_requests_and_a_reserve_that_comes_back() {
        let budget = Budget::default();
        assert_eq!(spent(&budget), 10);
        (0..51).for_each(|_| budget.earn());
        assert_eq!(spent(&budget), 10);
        tokio::time::advance(Duration::from_millis(2_500)).await;
        assert_eq!(spent(&budget), 2);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(spent(&budget), 10);
        // Good times are not saved up without an end.
        (0..100_000).for_each(|_| budget.earn());
        assert_eq!(spent(&budget), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn none_all_and_without_a_budget() {
        for (share, expected) in [
            (Some(0.0), 0),
            (Some(-1.0), 0),
            (Some(f32::NAN), 0),
            (Some(1.0), 10 + 20),
            (Some(7.0), 10 + 20),
            (None, 1_000),
        ] {
            let budget = Budget::new(share);
            (0..20).for_each(|_| budget.earn());
            assert_eq!(spent(&budget), expected, "{share:?}");
        }
    }
}
