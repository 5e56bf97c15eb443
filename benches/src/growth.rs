//! Cost as the work grows: what one more of each kind costs where there are ten, and where there are ten thousand. What
//! grows no worse than linear costs the same; what does is a fault.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::convert::Infallible;
use std::future::{Future, pending};
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx};
use ctxprop_axum::CtxLayer;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::runtime::Builder;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::instructions::{Case, instructions};
use crate::plot::{Axis, Line, Panel};
use crate::report::{Goal, Part, Report, Runs};
use crate::served::baggage;

/// How many there are of each.
const SIZES: [u64; 4] = [10, 100, 1_000, 10_000];
/// Of what W3C allows 64 of.
const ENTRIES: [u64; 4] = [4, 8, 32, 64];

/// Contexts below one another; the last one is asked whether it has ended.
const DEPTH: Case = ("growth, depth", |n| {
    let mut ctx = Ctx::background();
    for _ in 0..n {
        ctx = ctx.with_cancel().0;
    }
    black_box(ctx.is_done());
});

/// Children of one, all alive as that is cancelled.
const CHILDREN: Case = ("growth, children", |n| {
    let (parent, canceller) = Ctx::background().with_cancel();
    let children: Vec<_> = (0..n).map(|_| parent.with_cancel()).collect();
    canceller.cancel();
    assert!(children.iter().all(|(child, _)| child.is_done()));
});

/// Waits for the end of one context, each in a context of its own.
const WAITS: Case = ("growth, waits", |n| {
    let (parent, canceller) = Ctx::background().with_cancel();
    let mut waits: Vec<_> = (0..n).map(|_| Box::pin(parent.with_cancel().0.done())).collect();
    let mut context = Context::from_waker(Waker::noop());
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut context).is_pending());
    }
    canceller.cancel();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut context).is_ready());
    }
});

/// Tasks of one request, which end with it.
const TASKS: Case = ("growth, tasks", |n| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let root = Ctx::background();
        let (request, canceller) = root.with_cancel();
        let tasks: Vec<_> = (0..n).map(|_| request.spawn(pending::<()>())).collect();
        tokio::task::yield_now().await;
        canceller.cancel();
        assert!(join_all(tasks).await.iter().all(Result::is_err));
        root.idle().await;
    });
});

/// Answers nobody.
#[derive(Clone)]
struct Silent;

impl Service<Request<String>> for Silent {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        Box::pin(pending())
    }
}

/// Requests in a layer, all of them in their handlers as the service goes down.
const REQUESTS: Case = ("growth, requests", |n| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (root, canceller) = Ctx::background().with_cancel();
        let mut service = CtxLayer::mesh().under(&root).layer(Silent);
        let requests: Vec<_> =
            (0..n).map(|_| tokio::spawn(service.call(Request::new(String::new())))).collect();
        tokio::task::yield_now().await;
        canceller.cancel();
        drop(join_all(requests).await);
        assert_eq!(root.live_children(), 0);
    });
});

/// Entries of baggage, of which the last is read.
const BAGGAGE: Case = ("growth, entries", |n| {
    if n > 0 {
        let line = HeaderValue::try_from(baggage(n as usize)).expect("a value");
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("baggage"), line)]);
        let incoming = Incoming::from_headers(&headers);
        assert!(incoming.baggage.get(&format!("entry{:02}", n - 1)).is_some());
    }
});

/// What grows, with the sizes it is measured at, and which panel shows it.
const GROWS: [(&str, Case, [u64; 4], usize); 6] = [
    ("depth", DEPTH, SIZES, 0),
    ("children", CHILDREN, SIZES, 0),
    ("waits", WAITS, SIZES, 0),
    ("tasks", TASKS, SIZES, 1),
    ("requests", REQUESTS, SIZES, 1),
    ("entries", BAGGAGE, ENTRIES, 1),
];

/// This file's part.
pub const PART: Part = Part {
    name: "growth",
    runs: Runs::Whole,
    cases: &[DEPTH, CHILDREN, WAITS, TASKS, REQUESTS, BAGGAGE],
    measure,
};

/// What one of many costs, by how many there are.
fn each(case: Case, sizes: [u64; 4]) -> Result<Vec<(f64, f64)>, String> {
    sizes.iter().map(|n| Ok((*n as f64, instructions(case, [0, *n])?))).collect()
}

fn measure(report: &mut Report) -> Result<(), String> {
    if !report.valgrind {
        return Ok(());
    }
    for (what, case, [_, few, _, many], _) in GROWS {
        let at_few = instructions(case, [0, few])?;
        let at_many = instructions(case, [0, many])?;
        let name = format!("growth: one of {many} {what}, peer of {few}, instructions");
        report.measured(&name, at_many, Some(at_few), Goal::Ratio(1.5));
    }
    Ok(())
}

/// The plot.
///
/// # Errors
///
/// What valgrind says where it does not count.
pub fn panels() -> Result<Vec<Panel>, String> {
    let panel = |title: &str| Panel {
        title: title.to_owned(),
        x: Axis::logarithmic("how many there are", 0, 4),
        y: Axis::logarithmic("instructions for each of them", 1, 5),
        lines: Vec::new(),
        shaded: None,
    };
    let mut panels =
        vec![panel("One more context, where there are many"), panel("One more of a request's")];
    for (what, case, sizes, at) in GROWS {
        let points = each(case, sizes)?;
        println!("{what}: {points:.0?}");
        if let Some(panel) = panels.get_mut(at) {
            panel.lines.push(Line { label: what.to_owned(), points, dashed: false });
        }
    }
    Ok(panels)
}
