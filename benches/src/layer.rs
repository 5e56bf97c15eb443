//! What a layer adds to a request to "hello, world", beside others: counted over all that a server does for it but the
//! kernel's work, so over hyper, axum's routing and the handler. The peer is the same without a layer, and a row of
//! another layer is for comparison.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ctxprop::{Background, Baggage, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace_axum::FastraceLayer;
use tower_layer::Identity;

use crate::instructions::{Case, allocations, instructions};
use crate::peers::floor::Floor;
use crate::peers::minimal::Minimal;
use crate::peers::otel::Otel;
use crate::report::{Goal, Part, Report, Runs};
use crate::served::{Served, request};

const ROUNDS: [u64; 2] = [100, 400];
const BODY: &str = "hello, world";
const BUDGET: Duration = Duration::from_secs(10);

async fn hello() -> &'static str {
    BODY
}

/// One of the entries.
#[derive(Debug, Baggage)]
struct Entry {
    #[baggage(key = "entry02", max_len = 32)]
    entry: Option<String>,
}

#[propagate]
async fn reads_one(ctx: Ctx) -> Result<&'static str, Cancelled> {
    let read: Result<Entry, _> = ctx.baggage();
    assert!(read.is_ok_and(|read| read.entry.as_deref() == Some("valueof02")));
    Ok(BODY)
}

/// Drops all spans.
struct Nowhere;

impl Reporter for Nowhere {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}

fn bare() -> Router {
    Router::new().route("/", get(hello))
}

fn count(app: Router, entries: usize, rounds: u64) {
    let mut served = Served::new(app).expect("a runtime");
    let request = request("/", entries, Some(5_000));
    served.request(&request, BODY.as_bytes(), rounds).expect("a response");
}

/// A root that can be cancelled, as a service's that shuts down in order.
fn ours(app: Router, entries: usize, rounds: u64) {
    let (root, _canceller) = Ctx::background().with_cancel();
    count(app.layer(CtxLayer::mesh().under(&root).default_budget(BUDGET)), entries, rounds);
}

fn fastrace(entries: usize, rounds: u64) {
    fastrace::set_reporter(Nowhere, Config::default());
    count(bare().layer(FastraceLayer::default()), entries, rounds);
}

const BARE: [Case; 2] =
    [("hello, bare, 3", |n| count(bare(), 3, n)), ("hello, bare, 60", |n| count(bare(), 60, n))];
const OURS: [Case; 2] =
    [("hello, ours, 3", |n| ours(bare(), 3, n)), ("hello, ours, 60", |n| ours(bare(), 60, n))];
const READS: [Case; 2] = [
    ("hello, ours reads one, 3", |n| ours(Router::new().route("/", get(reads_one)), 3, n)),
    ("hello, ours reads one, 60", |n| ours(Router::new().route("/", get(reads_one)), 60, n)),
];
/// What axum itself adds for any layer: a clone of the service, and boxes.
const IDENTITY: [Case; 2] = [
    ("hello, identity, 3", |n| count(bare().layer(Identity::new()), 3, n)),
    ("hello, identity, 60", |n| count(bare().layer(Identity::new()), 60, n)),
];
const MINIMAL: [Case; 2] = [
    ("hello, minimal, 3", |n| count(bare().layer(Minimal { budget: BUDGET }), 3, n)),
    ("hello, minimal, 60", |n| count(bare().layer(Minimal { budget: BUDGET }), 60, n)),
];
/// What a layer costs that does all of what ours does, at the least.
const FLOOR: [Case; 2] = [
    ("hello, floor, 3", |n| count(bare().layer(Floor::new(BUDGET)), 3, n)),
    ("hello, floor, 60", |n| count(bare().layer(Floor::new(BUDGET)), 60, n)),
];
const FASTRACE: [Case; 2] =
    [("hello, fastrace, 3", |n| fastrace(3, n)), ("hello, fastrace, 60", |n| fastrace(60, n))];
const OTEL: [Case; 2] = [
    ("hello, otel, 3", |n| count(bare().layer(Otel), 3, n)),
    ("hello, otel, 60", |n| count(bare().layer(Otel), 60, n)),
];

/// This file's part.
pub const PART: Part = Part {
    name: "layer",
    runs: Runs::Cheap,
    cases: &[
        BARE[0],
        BARE[1],
        OURS[0],
        OURS[1],
        READS[0],
        READS[1],
        IDENTITY[0],
        IDENTITY[1],
        MINIMAL[0],
        MINIMAL[1],
        FLOOR[0],
        FLOOR[1],
        FASTRACE[0],
        FASTRACE[1],
        OTEL[0],
        OTEL[1],
    ],
    measure,
};

fn measure(report: &mut Report) -> Result<(), String> {
    if !report.valgrind {
        return Ok(());
    }
    for (at, entries, layer, reads) in [(0, 3, 4_500.0, 6_000.0), (1, 60, 5_000.0, 12_000.0)] {
        let name = |what: &str| format!("axum hello, {entries} entries, {what}, over bare");
        let bare = instructions(BARE[at], ROUNDS)?;
        report.counted(
            &format!("axum hello, {entries} entries, bare, instructions"),
            bare,
            None,
            Goal::None,
        );
        let minimal = instructions(MINIMAL[at], ROUNDS)? - bare;
        let mut over = |what: &str, case: [Case; 2], goal: Goal| {
            let over = instructions(case[at], ROUNDS)? - bare;
            report.counted(&format!("{}, instructions", name(what)), over, Some(minimal), goal);
            Ok::<_, String>(())
        };
        over("CtxLayer", OURS, Goal::AtMost(layer))?;
        over("CtxLayer and a handler that reads one", READS, Goal::AtMost(reads))?;
        // Not ours, so nothing holds them: they depend on versions.
        for (what, case) in [
            ("a layer that does nothing", IDENTITY),
            ("the least that does what ours does", FLOOR),
            ("fastrace-axum", FASTRACE),
            ("OpenTelemetry", OTEL),
        ] {
            let over = instructions(case[at], ROUNDS)? - bare;
            let what = format!("{}, instructions", name(what));
            report.measured(&what, over, Some(minimal), Goal::None);
        }
        let bare = allocations(BARE[at], ROUNDS)?;
        let minimal = allocations(MINIMAL[at], ROUNDS)? - bare;
        let over = allocations(OURS[at], ROUNDS)? - bare;
        let what = format!("{}, allocations", name("CtxLayer"));
        report.counted(&what, over, Some(minimal), Goal::None);
    }
    Ok(())
}
