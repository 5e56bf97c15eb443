//! What it costs to be looked at (`ctxprop-live`): an await and a request, in instructions, where the code for it is not there,
//! where it is there and off, and where it is on.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin live-cost
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin live-cost --features live
//! ```
//!
//! The first tells what it costs without the feature `observe` of the core, which must be what it cost before there was that
//! feature; the second the other two.

use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::mem::size_of_val;
use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use ctxprop::{Awaitable, Background, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_benches::instructions::{Case, instructions, ran_as_child};
use http::Request;
use tokio::runtime::Builder;
use tower::ServiceExt;

/// A leaf that is ready at once.
#[propagate]
async fn is_ready(rounds: u64) -> Result<u64, Cancelled> {
    let mut sum = 0;
    for n in 0..rounds {
        sum += ready(black_box(n)).await;
    }
    Ok(sum)
}

/// A leaf that is polled twice.
#[propagate]
async fn pends(rounds: u64) -> Result<u64, Cancelled> {
    for _ in 0..rounds {
        let mut pended = false;
        poll_fn(
            |_| if std::mem::replace(&mut pended, true) { Poll::Ready(()) } else { Poll::Pending },
        )
        .await;
    }
    Ok(rounds)
}

fn run(future: impl Awaitable) {
    let Ok(runtime) = Builder::new_current_thread().enable_time().build() else { return };
    let _inside = runtime.enter();
    let ctx = Ctx::background().with_timeout(Duration::from_secs(3_600)).with_cancel().0;
    let mut future = pin!(ctx.scope(future));
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {}
}

/// Requests through the layer and a router, without a socket.
fn requests(rounds: u64) {
    let Ok(runtime) = Builder::new_current_thread().enable_time().build() else { return };
    let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(CtxLayer::mesh());
    runtime.block_on(async {
        for _ in 0..rounds {
            let request = Request::new(Body::empty());
            drop(black_box(app.clone().oneshot(request).await));
        }
    });
}

const WITHOUT: [Case; 3] = [
    ("a leaf that is ready", |n| run(is_ready(n))),
    ("a leaf that pends once", |n| run(pends(n))),
    ("a request", requests),
];

/// The same, looked at.
#[cfg(feature = "live")]
const ON: [Case; 3] = [
    ("a leaf that is ready, on", |n| on(WITHOUT[0], n)),
    ("a leaf that pends once, on", |n| on(WITHOUT[1], n)),
    ("a request, on", |n| on(WITHOUT[2], n)),
];

#[cfg(feature = "live")]
fn on((_, run): Case, rounds: u64) {
    assert!(ctxprop_live::enable());
    run(rounds);
}

#[cfg(not(feature = "live"))]
const ON: [Case; 0] = [];

const ROUNDS: [u64; 2] = [1_000, 3_000];

/// What is reached, and must not be lost: the most instructions of a case.
const HOLDS: &[(&str, f64)] = if cfg!(feature = "live") {
    &[
        ("a leaf that is ready", 100.0),
        ("a leaf that pends once", 660.0),
        ("a leaf that is ready, on", 950.0),
        ("a leaf that pends once, on", 3_400.0),
    ]
} else {
    // As before there was the feature: `calls` of the report holds to it more closely.
    &[("a leaf that is ready", 46.0), ("a leaf that pends once", 580.0)]
};

fn main() -> ExitCode {
    let cases: Vec<Case> = WITHOUT.into_iter().chain(ON).collect();
    if ran_as_child(&cases) {
        return ExitCode::SUCCESS;
    }
    let is_there = cfg!(feature = "live");
    println!("the feature `observe` is {}", if is_there { "there" } else { "not there" });
    println!("the future of a function with one leaf: {} bytes", size_of_val(&is_ready(1)));
    let mut lost = false;
    for case in cases {
        match instructions(case, ROUNDS) {
            Ok(count) => {
                println!("{:34} {count:8.1} instructions", case.0);
                lost |= HOLDS.iter().any(|(name, most)| *name == case.0 && count > *most);
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if lost {
        eprintln!("what was reached is lost: {HOLDS:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
