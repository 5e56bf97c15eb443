//! What a scope adds to a poll that is pending, and a run. The peer is the future alone.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ctxprop::{Background, Ctx};

use crate::instructions::Case;
use crate::report::{Goal, Part, Report, Runs};

const ROUNDS: [u64; 2] = [1_000, 3_000];

fn pending() -> impl Future<Output = u64> {
    poll_fn(|_| black_box(Poll::Pending))
}

/// Polls that many times.
fn poll(future: impl Future, rounds: u64) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..rounds {
        black_box(future.as_mut().poll(&mut context).is_pending());
    }
}

/// Under a context that can be cancelled, as a request's.
fn ctx() -> Ctx {
    Ctx::background().with_cancel().0
}

const ALONE: Case = ("alone", |rounds| poll(pending(), rounds));
const SCOPE: Case = ("scope", |rounds| poll(ctx().scope(pending()), rounds));
const RUN: Case = ("run", |rounds| poll(ctx().run(pending()), rounds));

/// This file's part.
pub const PART: Part =
    Part { name: "scopes", runs: Runs::Cheap, cases: &[ALONE, SCOPE, RUN], measure };

fn measure(report: &mut Report) -> Result<(), String> {
    report.instructions("a scope's poll", SCOPE, Some(ALONE), ROUNDS, Goal::AtMost(100.0))?;
    report.instructions("a run's poll", RUN, Some(ALONE), ROUNDS, Goal::AtMost(130.0))
}
