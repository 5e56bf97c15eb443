//! What it costs to ask a context: for a value, its span or baggage far above, and whether it has ended. The peer of a
//! deep look-up is the same at depth 10.

use std::hint::black_box;
use std::time::Duration;

use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx};
use http::{HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::instructions::{Case, instructions};
use crate::report::{Goal, Part, Report, Runs};

const ROUNDS: [u64; 2] = [1_000, 3_000];

/// The value that is looked up, and the one that lies above it.
#[derive(Debug)]
struct Wanted(u64);
#[derive(Debug)]
struct Other(#[allow(dead_code, reason = "it has a size, as others have")] u64);

fn below(mut ctx: Ctx, depth: usize) -> Ctx {
    for _ in 0..depth {
        ctx = ctx.with_cancel().0;
    }
    ctx
}

fn value(depth: u64, rounds: u64) {
    let mut ctx = Ctx::background().with_value(Wanted(1));
    for n in 0..depth {
        ctx = ctx.with_value(Other(n));
    }
    for _ in 0..rounds {
        black_box(black_box(&ctx).value::<Wanted>().map(|wanted| wanted.0));
    }
}

fn span(depth: usize, rounds: u64) {
    let ctx = below(Ctx::background().child_span(), depth);
    for _ in 0..rounds {
        black_box(black_box(&ctx).span());
    }
}

fn baggage(depth: usize, rounds: u64) {
    let mut headers = HeaderMap::new();
    headers.insert("baggage", HeaderValue::from_static("user.id=7,tenant=acme"));
    let ctx = below(Ctx::background().with_incoming(Incoming::from_headers(&headers)).0, depth);
    for _ in 0..rounds {
        black_box(black_box(&ctx).baggage_map());
    }
}

fn is_done(ctx: &Ctx, rounds: u64) {
    for _ in 0..rounds {
        black_box(black_box(ctx).is_done());
    }
}

/// At depth 10, and at depth 1,000.
const VALUE: [Case; 2] = [("value 10", |n| value(10, n)), ("value 1000", |n| value(1_000, n))];
const SPAN: [Case; 2] = [("span 10", |n| span(10, n)), ("span 1000", |n| span(1_000, n))];
const BAGGAGE: [Case; 2] =
    [("baggage 10", |n| baggage(10, n)), ("baggage 1000", |n| baggage(1_000, n))];
const DONE: Case = ("is_done", |rounds| is_done(&Ctx::background().with_cancel().0, rounds));
const DONE_DEEP: Case =
    ("is_done 1000", |rounds| is_done(&below(Ctx::background(), 1_000), rounds));
const DONE_DEADLINE: Case = ("is_done, deadline", |rounds| {
    is_done(&Ctx::background().with_timeout(Duration::from_secs(3_600)), rounds);
});
const DONE_PEER: Case = ("is_done, peer", |rounds| {
    let token = CancellationToken::new();
    for _ in 0..rounds {
        black_box(black_box(&token).is_cancelled());
    }
});

/// This file's part.
pub const PART: Part = Part {
    name: "lookups",
    runs: Runs::Cheap,
    cases: &[
        VALUE[0],
        VALUE[1],
        SPAN[0],
        SPAN[1],
        BAGGAGE[0],
        BAGGAGE[1],
        DONE,
        DONE_DEEP,
        DONE_DEADLINE,
        DONE_PEER,
    ],
    measure,
};

fn measure(report: &mut Report) -> Result<(), String> {
    if !report.valgrind {
        return Ok(());
    }
    for (name, [at_10, at_1000], deep) in [
        ("value", VALUE, Goal::None),
        ("span", SPAN, Goal::Ratio(1.2)),
        ("baggage", BAGGAGE, Goal::Ratio(1.2)),
    ] {
        let shallow = instructions(at_10, ROUNDS)?;
        report.counted(
            &format!("{name} at depth 10, instructions"),
            shallow,
            None,
            Goal::AtMost(100.0),
        );
        let name = format!("{name} at depth 1,000, peer at 10, instructions");
        report.counted(&name, instructions(at_1000, ROUNDS)?, Some(shallow), deep);
    }
    let peer = Some(DONE_PEER);
    report.instructions("is_done", DONE, peer, ROUNDS, Goal::AtMost(20.0))?;
    report.instructions("is_done, deadline", DONE_DEADLINE, peer, ROUNDS, Goal::AtMost(55.0))?;
    report.instructions("is_done at depth 1,000", DONE_DEEP, Some(DONE), ROUNDS, Goal::None)
}
