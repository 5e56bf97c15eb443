//! What a call and an await cost in four styles: plain, `#[propagate]`, `#[tracing::instrument]` without a subscriber
//! and `#[fastrace::trace]` without a reporter.

#![allow(
    clippy::expect_used,
    clippy::missing_errors_doc,
    missing_docs,
    reason = "a benchmark may panic, and the styles hold the same functions"
)]

use std::future::{Future, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ctxprop::{Awaitable, Background, Cancelled, Ctx, propagate};
use tokio::runtime::Builder;

use crate::instructions::Case;
use crate::report::{Goal, Part, Report, Runs};

/// Each style has the same functions: a call of `callee`, an await that is ready, one whose value can say the
/// end, one that pends once.
macro_rules! style {
    ($name:ident, $(#[$attribute:meta])?) => {
        pub mod $name {
            //! The functions in this style.

            use super::*;

            $(#[$attribute])?
            #[inline(never)]
            pub(super) async fn callee(n: u64) -> Result<u64, Cancelled> {
                Ok(black_box(n) + 1)
            }

            $(#[$attribute])?
            pub async fn calls(rounds: u64) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for n in 0..rounds {
                    sum += callee(n).await?;
                }
                Ok(sum)
            }

            $(#[$attribute])?
            pub async fn is_ready(rounds: u64) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for n in 0..rounds {
                    sum += ready(black_box(n)).await;
                }
                Ok(sum)
            }

            $(#[$attribute])?
            pub async fn says(rounds: u64) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for n in 0..rounds {
                    let given: Result<u64, Cancelled> = ready(Ok(black_box(n))).await;
                    if let Ok(n) = given {
                        sum += n;
                    }
                }
                Ok(sum)
            }

            $(#[$attribute])?
            pub async fn pends_once(rounds: u64) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for n in 0..rounds {
                    Once(false).await;
                    sum += black_box(n);
                }
                Ok(sum)
            }
        }
    };
}

style!(plain,);
style!(propagated, #[propagate]);
style!(instrumented, #[tracing::instrument(skip_all)]);
style!(traced, #[fastrace::trace]);

/// Pends at its first poll.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Runs to the end in one scope of a request's context, by polling inside a runtime.
fn run(future: impl Awaitable) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let ctx = Ctx::background().with_timeout(Duration::from_secs(3_600)).with_cancel().0;
    let mut future = pin!(ctx.scope(future));
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {}
}

/// What is counted: a group of four for each kind of await.
pub const CASES: [Case; 16] = [
    ("call: plain async fn", |n| run(plain::calls(n))),
    ("call: propagate", |n| run(propagated::calls(n))),
    ("call: tracing::instrument", |n| run(instrumented::calls(n))),
    ("call: fastrace::trace", |n| run(traced::calls(n))),
    ("ready: plain async fn", |n| run(plain::is_ready(n))),
    ("ready: propagate", |n| run(propagated::is_ready(n))),
    ("ready: tracing::instrument", |n| run(instrumented::is_ready(n))),
    ("ready: fastrace::trace", |n| run(traced::is_ready(n))),
    ("says the end: plain async fn", |n| run(plain::says(n))),
    ("says the end: propagate", |n| run(propagated::says(n))),
    ("says the end: tracing::instrument", |n| run(instrumented::says(n))),
    ("says the end: fastrace::trace", |n| run(traced::says(n))),
    ("pends once: plain async fn", |n| run(plain::pends_once(n))),
    ("pends once: propagate", |n| run(propagated::pends_once(n))),
    ("pends once: tracing::instrument", |n| run(instrumented::pends_once(n))),
    ("pends once: fastrace::trace", |n| run(traced::pends_once(n))),
];

const ROUNDS: [u64; 2] = [1_000, 3_000];

/// This file's part.
pub const PART: Part = Part { name: "calls", runs: Runs::Cheap, cases: &CASES, measure };

fn measure(report: &mut Report) -> Result<(), String> {
    for (group, name, goal) in [
        (0, "a call", Goal::Over(50.0)),
        (1, "a ready leaf", Goal::Over(18.0)),
        (2, "a leaf whose value can say the end", Goal::Over(22.0)),
        (3, "a leaf that pends once", Goal::None),
    ] {
        let [plain, ours] = [0, 1].map(|style| CASES[group * 4 + style]);
        report.instructions(&format!("{name}, beside plain"), ours, Some(plain), ROUNDS, goal)?;
    }
    Ok(())
}
