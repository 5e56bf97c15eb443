//! The clock of a test: budgets run on tokio's, which is paused.

use std::time::Duration;

use tokio::time::{Instant, advance};

use crate::ctx::Ctx;

/// Lets so much time pass, and all that is due in it run: what is ready, timers and deadlines.
///
/// Other than `tokio::time::sleep` it does not end before the tasks that are woken by it have had their turn.
///
/// # Panics
///
/// Where the clock is not paused: `#[ctxprop::test]` pauses it.
///
/// # Examples
///
/// ```rust,test_harness
/// use std::time::Duration;
/// use ctxprop::testing;
/// use ctxprop::Ctx;
///
/// #[ctxprop::test]
/// async fn half_of_a_budget_is_left(ctx: Ctx) {
///     let ctx = ctx.with_timeout(Duration::from_secs(10));
///     testing::elapse(Duration::from_secs(5)).await;
///     assert_eq!(ctx.remaining(), Some(Duration::from_secs(5)));
/// }
/// # fn main() {}
/// ```
pub async fn elapse(time: Duration) {
    let until = Instant::now() + time;
    // The clock of tokio goes on by itself, from timer to timer, while nothing else is to be done.
    tokio::time::sleep_until(until).await;
    settle().await;
}

/// Lets time pass until the budget of `ctx` is used up, so that it has ended by its deadline. What waits for it has had its
/// turn.
///
/// # Panics
///
/// Where `ctx` has no deadline, and where the clock is not paused.
///
/// # Examples
///
/// ```rust,test_harness
/// use std::time::Duration;
/// use ctxprop::{Cause, Ctx, testing};
///
/// #[ctxprop::test]
/// async fn it_ends_on_time(ctx: Ctx) {
///     let ctx = ctx.with_timeout(Duration::from_secs(10));
///     testing::exhaust(&ctx).await;
///     assert_eq!(ctx.cause(), Some(Cause::DeadlineExceeded));
/// }
/// # fn main() {}
/// ```
pub async fn exhaust(ctx: &Ctx) {
    match ctx.deadline() {
        Some(deadline) => elapse(deadline.saturating_duration_since(Instant::now())).await,
        None => panic!("a context without a deadline has no budget to use up"),
    }
}

/// Lets what was woken run.
async fn settle() {
    // Panics where the clock is not paused.
    advance(Duration::ZERO).await;
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// More tasks than wake one another in a row.
const TURNS: usize = 16;
