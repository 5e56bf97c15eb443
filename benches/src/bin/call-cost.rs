//! What `#[propagate]` costs a call and an await, in instructions, beside a plain `async fn`,
//! `#[tracing::instrument]` without a subscriber and `#[fastrace::trace]` without a reporter; and what futures weigh.
//!
//! `cargo run --release -p ctxprop-benches --bin call-cost`

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::future::{Future, ready};
use std::hint::black_box;
use std::mem::size_of_val;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ctxprop::{Awaitable, Background, Cancelled, Ctx, propagate};
use ctxprop_benches::instructions::{Case, instructions, ran_as_child};
use tokio::runtime::Builder;

/// Each style has the same functions: a call of `callee`, an await that is ready, one that pends once.
macro_rules! style {
    ($name:ident, $(#[$attribute:meta])?) => {
        mod $name {
            use super::*;

            $(#[$attribute])?
            #[inline(never)]
            pub(super) async fn callee(n: u64) -> Result<u64, Cancelled> {
                Ok(black_box(n) + 1)
            }

            $(#[$attribute])?
            pub(super) async fn calls(rounds: u64) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for n in 0..rounds {
                    sum += callee(n).await?;
                }
                Ok(sum)
            }

            $(#[$attribute])?
            pub(super) async fn is_ready(rounds: u64) -> Result<u64, Cancelled> {
                let mut sum = 0;
                for n in 0..rounds {
                    sum += ready(black_box(n)).await;
                }
                Ok(sum)
            }

            $(#[$attribute])?
            pub(super) async fn pends_once(rounds: u64) -> Result<u64, Cancelled> {
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

const CASES: [Case; 12] = [
    ("call: plain async fn", |n| run(plain::calls(n))),
    ("call: propagate", |n| run(propagated::calls(n))),
    ("call: tracing::instrument", |n| run(instrumented::calls(n))),
    ("call: fastrace::trace", |n| run(traced::calls(n))),
    ("ready: plain async fn", |n| run(plain::is_ready(n))),
    ("ready: propagate", |n| run(propagated::is_ready(n))),
    ("ready: tracing::instrument", |n| run(instrumented::is_ready(n))),
    ("ready: fastrace::trace", |n| run(traced::is_ready(n))),
    ("pends once: plain async fn", |n| run(plain::pends_once(n))),
    ("pends once: propagate", |n| run(propagated::pends_once(n))),
    ("pends once: tracing::instrument", |n| run(instrumented::pends_once(n))),
    ("pends once: fastrace::trace", |n| run(traced::pends_once(n))),
];

/// Goals: what the propagated form may cost more than the plain one, in instructions.
const GOALS: [(&str, f64); 2] = [("call", 50.0), ("ready", 15.0)];

fn main() -> ExitCode {
    if ran_as_child(&CASES) {
        return ExitCode::SUCCESS;
    }
    println!(
        "futures, in bytes: plain {}, propagate {}, tracing::instrument {}, fastrace::trace {}",
        size_of_val(&plain::calls(1)),
        size_of_val(&propagated::calls(1)),
        size_of_val(&instrumented::calls(1)),
        size_of_val(&traced::calls(1))
    );
    let mut missed = false;
    for group in CASES.chunks(4) {
        let mut plain = 0.0;
        for (n, case) in group.iter().enumerate() {
            let count = match instructions(*case, [1_000, 11_000]) {
                Ok(count) => count,
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            };
            if n == 0 {
                plain = count;
            }
            println!("{:34} {count:8.1} instructions, {:+8.1}", case.0, count - plain);
            let goal = GOALS.iter().find(|(name, _)| n == 1 && case.0.starts_with(name));
            missed |= goal.is_some_and(|(_, goal)| count - plain > *goal);
        }
    }
    if missed {
        eprintln!("a goal is missed: {GOALS:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
