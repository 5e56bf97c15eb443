//! [`ends_everywhere`]: runs a future once for each place at which its context can end.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use super::ledger::{Ledger, Plan};
use super::outcome::Outcome;
use super::report::{Finding, Found, Report};
use super::run::{self, Settings};
use super::world::{Phase, World};
use crate::ctx::Ctx;
use crate::end::cause::Cause;
use crate::needs_ctx::Awaitable;

/// An hour, by the clock of the test, which does not wait: longer than any budget.
const PATIENCE: Duration = Duration::from_secs(3_600);

const LIMIT: usize = 10_000;

/// Runs `body` again and again, and ends its context at each of its awaits in turn: before the await begins, while it is
/// pending, and right after it is ready. [`check`](EndsEverywhere::check) does it.
///
/// `body` is called for each run, with the context of that run: see [`given`] for runs that share nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use ctxprop::testing::ends_everywhere;
/// use ctxprop::{Cancelled, propagate};
///
/// #[propagate]
/// async fn nap() -> Result<(), Cancelled> {
///     tokio::time::sleep(Duration::from_secs(1)).await;
///     Ok(())
/// }
///
/// ends_everywhere(|_| nap()).check(|world| {
///     // It was through, or says why not.
///     let napped = world.output().is_some_and(Result::is_ok);
///     assert_eq!(napped, !world.was_told());
/// });
/// ```
pub fn ends_everywhere<A, B>(body: B) -> EndsEverywhere<(), impl Fn(), impl Fn(Ctx, ()) -> A>
where
    A: Awaitable,
    B: Fn(Ctx) -> A,
{
    given(|| ()).ends_everywhere(move |ctx, ()| body(ctx))
}

/// What each run is given, made anew for it by `make`: a fake store, a script, a counter. A clone goes to the run, and the
/// check looks at it afterwards. `make` runs in the runtime of the run.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use std::time::Duration;
///
/// use ctxprop::testing::given;
/// use ctxprop::{Cancelled, Ctx, propagate};
///
/// #[propagate]
/// async fn reserves(ctx: Ctx, stock: Arc<AtomicUsize>) -> Result<(), Cancelled> {
///     stock.fetch_sub(1, Relaxed);
///     let paid = pays().await;
///     if paid.is_err() {
///         ctx.shield(Duration::from_secs(1), async { stock.fetch_add(1, Relaxed) }).await?;
///     }
///     paid
/// }
///
/// #[propagate]
/// async fn pays() -> Result<(), Cancelled> {
///     tokio::time::sleep(Duration::from_secs(1)).await;
///     Ok(())
/// }
///
/// given(|| Arc::new(AtomicUsize::new(1))).ends_everywhere(reserves).check(|world| {
///     let sold = world.output().is_some_and(Result::is_ok);
///     assert_eq!(world.state().load(Relaxed), usize::from(!sold));
/// });
/// ```
pub fn given<S: Clone, M: Fn() -> S>(make: M) -> Given<M> {
    Given { make }
}

/// What each run is given: see [`given`].
pub struct Given<M> {
    make: M,
}

impl<M> Given<M> {
    /// As [`ends_everywhere`](ends_everywhere()), with what was made for the run.
    pub fn ends_everywhere<S, A, B>(self, body: B) -> EndsEverywhere<S, M, B>
    where
        S: Clone,
        M: Fn() -> S,
        A: Awaitable,
        B: Fn(Ctx, S) -> A,
    {
        EndsEverywhere {
            make: self.make,
            body,
            causes: vec![Cause::Disconnected, Cause::DeadlineExceeded],
            budget: None,
            seed: 0,
            limit: LIMIT,
            patience: PATIENCE,
            allowed: Vec::new(),
            state: PhantomData,
        }
    }
}

/// Many runs, one for each place at which the context can end: see [`ends_everywhere`](ends_everywhere()).
#[must_use = "nothing is run before `check`"]
pub struct EndsEverywhere<S, M, B> {
    make: M,
    body: B,
    causes: Vec<Cause>,
    budget: Option<Duration>,
    seed: u64,
    limit: usize,
    patience: Duration,
    allowed: Vec<Finding>,
    state: PhantomData<fn() -> S>,
}

impl<S, M, B> EndsEverywhere<S, M, B> {
    /// Why the context ends: all runs once for each. Without it the client leaves, and then the deadline passes.
    pub fn causes(mut self, causes: impl IntoIterator<Item = Cause>) -> Self {
        self.causes = causes.into_iter().collect();
        self
    }

    /// Gives the context a deadline, so that code which asks what remains finds something.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = Some(budget);
        self
    }

    /// What decides in which order `select!` polls its branches, and whatever else asks `fastrand`. The same seed gives the
    /// same runs; the report names it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many runs there may be, 10,000 without it. Where they are not enough the check fails: it proved nothing.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// How long a run may take, and what is left of it afterwards, by the clock of the test: an hour without it, which takes
    /// no time unless something ticks.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Does not look for this.
    pub fn allow(mut self, finding: Finding) -> Self {
        self.allowed.push(finding);
        self
    }
}

impl<S, A, M, B> EndsEverywhere<S, M, B>
where
    S: Clone,
    A: Awaitable<Output: Outcome>,
    M: Fn() -> S,
    B: Fn(Ctx, S) -> A,
{
    /// Runs all of it: first without an end, then with the end at the first await, at the second, and so on until the run is
    /// through before the end comes. `check` is called after each run, once all its tasks are over.
    ///
    /// Each run has a runtime of its own, of one thread, whose clock is paused. Its context hangs below a root of its own, as
    /// that of a request does; when the run is over it ends with [`Cause::Finished`], and tasks have time to unwind.
    ///
    /// # Panics
    ///
    /// With a report, at the first run in which something is found: where the end came, and what was wrong then. That is
    /// what `check` says by a panic of its own, or one of [`Finding`]. Also where it is called inside of a runtime, and where
    /// the [limit](EndsEverywhere::limit) is reached.
    #[track_caller]
    pub fn check(self, check: impl Fn(&World<S, A::Output>)) {
        if let Err(report) = self.try_check(check) {
            panic!("ends_everywhere: {report}");
        }
    }

    /// As [`check`](EndsEverywhere::check), and gives the report. Gives how many runs there were.
    ///
    /// # Errors
    ///
    /// The report of the first run in which something is found.
    ///
    /// # Panics
    ///
    /// Where it is called inside of a runtime.
    pub fn try_check(self, check: impl Fn(&World<S, A::Output>)) -> Result<usize, String> {
        assert!(
            Handle::try_current().is_err(),
            "`ends_everywhere` makes a runtime for each run: call it in a plain `#[test]`, outside of any other"
        );
        let mut number = 0;
        self.once(&mut number, None, &check)?;
        for cause in &self.causes {
            for leaf in 0.. {
                let mut reached = false;
                for phase in Phase::ALL {
                    let plan = Plan { leaf, phase, cause: cause.clone() };
                    reached |= self.once(&mut number, Some(plan), &check)?;
                }
                if !reached {
                    break;
                }
            }
        }
        Ok(number)
    }

    /// One run. Says whether the end came.
    fn once(
        &self,
        number: &mut usize,
        plan: Option<Plan>,
        check: &impl Fn(&World<S, A::Output>),
    ) -> Result<bool, String> {
        if *number >= self.limit {
            let limit = self.limit;
            return Err(format!(
                "{limit} runs were not enough to end it everywhere: `.limit(n)` allows more"
            ));
        }
        let ledger = Arc::new(Ledger::default());
        let here = crate::run::observe::here(Arc::clone(&ledger) as _);
        let runtime = run::runtime(Builder::new_current_thread().start_paused(true), &ledger);
        let entered = runtime.enter();
        let state = (self.make)();
        drop(entered);
        let settings = Settings { patience: self.patience, budget: self.budget, seed: self.seed };
        let given = state.clone();
        let ran = run::run(&runtime, &ledger, &settings, plan, |ctx| {
            (self.body)(ctx, given).into_awaited()
        });
        let gave = ledger.gave();
        let mut found = ran.found;
        found.extend(gave.iter().filter(|gave| gave.skipped).map(Found::skipped));
        let (mut end, mut failed) = (ran.end, false);
        if let Some(outcome) = ran.outcome {
            if let (Ok(output), Some(gave)) = (&outcome, gave.iter().find(|gave| gave.own))
                && output.says_done()
            {
                found.push(Found::swallowed(gave));
            }
            let was_told = gave.iter().any(|gave| gave.own);
            let world = World { state: state.clone(), outcome, end, was_told, number: *number };
            // What was not reached was through before: that run was looked at.
            if ran.leaves_reached {
                let _entered = runtime.enter();
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&world))) {
                    failed = true;
                    let text = format!("the check failed: {}", run::text_of(&*panic));
                    found.push(Found::new(Finding::Stuck, text));
                }
            }
            end = world.end;
            drop(world.outcome);
        }
        found.extend(ledger.left().iter().map(Found::alive));
        // Before the state: what that holds is held by somebody.
        drop(state);
        runtime.shutdown_background();
        drop(here);
        found.retain(|found| !self.allowed.contains(&found.finding));
        if ran.leaves_reached && !found.is_empty() {
            let gave = if failed { &gave[..] } else { &[] };
            let (number, seed) = (*number, self.seed);
            let report = Report { number, seed, end: end.as_ref(), found: &found, gave };
            return Err(report.to_string());
        }
        *number += usize::from(ran.leaves_reached);
        Ok(ran.leaves_reached)
    }
}

impl<M> fmt::Debug for Given<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").finish_non_exhaustive()
    }
}

impl<S, M, B> fmt::Debug for EndsEverywhere<S, M, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndsEverywhere")
            .field("causes", &self.causes)
            .field("seed", &self.seed)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
