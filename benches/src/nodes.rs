//! What a context costs to make and drop: a root, a child that can be cancelled, one with a deadline, a request's. The peer is
//! `CancellationToken` of tokio-util, which has no deadline.

use std::hint::black_box;
use std::time::Duration;

use ctxprop::wire::Incoming;
use ctxprop::{Background, Ctx};
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::instructions::{Case, allocated_bytes};
use crate::report::{Goal, Part, Report, Runs};

const HOUR: Duration = Duration::from_secs(3_600);
const ROUNDS: [u64; 2] = [1_000, 3_000];

const ROOT: Case = ("root", |rounds| repeat(rounds, Ctx::background));
const ROOT_PEER: Case = ("root, peer", |rounds| repeat(rounds, CancellationToken::new));
const CANCEL: Case = ("cancel", |rounds| {
    let root = Ctx::background();
    repeat(rounds, || root.with_cancel());
});
const CANCEL_PEER: Case = ("cancel, peer", |rounds| {
    let root = CancellationToken::new();
    repeat(rounds, || root.child_token());
});
const CANCEL_BELOW: Case = ("cancel, below cancel", |rounds| {
    let request = Ctx::background().with_cancel();
    repeat(rounds, || request.0.with_cancel());
});
const DEADLINE: Case = ("deadline", |rounds| {
    let (root, deadline) = (Ctx::background(), Instant::now() + HOUR);
    repeat(rounds, || root.with_deadline(deadline));
});
const DEADLINE_BELOW: Case = ("deadline, below deadline", |rounds| {
    let (request, deadline) = (Ctx::background().with_timeout(2 * HOUR), Instant::now() + HOUR);
    repeat(rounds, || request.with_deadline(deadline));
});
const TIMEOUT: Case = ("timeout", |rounds| {
    let root = Ctx::background();
    repeat(rounds, || root.with_timeout(HOUR));
});

const REQUEST: Case = ("live request", |rounds| {
    let (server, _shutdown) = Ctx::background().with_cancel();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-timeout-ms", "5000"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"),
        ("baggage", "user.id=7,tenant=acme,plan=gold"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for _ in 0..rounds {
        drop(black_box(server.with_incoming(Incoming::from_headers(&headers))));
    }
});

/// This file's part.
pub const PART: Part = Part {
    name: "nodes",
    runs: Runs::Cheap,
    cases: &[
        ROOT,
        ROOT_PEER,
        CANCEL,
        CANCEL_PEER,
        CANCEL_BELOW,
        DEADLINE,
        DEADLINE_BELOW,
        TIMEOUT,
        REQUEST,
    ],
    measure,
};

fn repeat<T>(rounds: u64, mut make: impl FnMut() -> T) {
    for _ in 0..rounds {
        drop(black_box(make()));
    }
}

fn measure(report: &mut Report) -> Result<(), String> {
    let rows: [(&str, Case, Option<Case>, f64); 6] = [
        ("root", ROOT, Some(ROOT_PEER), 300.0),
        ("child with cancel", CANCEL, Some(CANCEL_PEER), 300.0),
        ("child with cancel of a cancellable one", CANCEL_BELOW, Some(CANCEL_PEER), 300.0),
        ("child with deadline", DEADLINE, None, 350.0),
        ("child with deadline of one with deadline", DEADLINE_BELOW, None, 350.0),
        ("child with timeout", TIMEOUT, None, 350.0),
    ];
    for (name, ours, peer, most) in rows {
        report.allocations(name, ours, peer, ROUNDS, Goal::AtMost(1.0))?;
        report.instructions(name, ours, peer, ROUNDS, Goal::AtMost(most))?;
    }
    if report.valgrind {
        for (name, ours, peer) in [
            ("child with cancel", CANCEL, Some(CANCEL_PEER)),
            ("child with deadline", DEADLINE, None),
        ] {
            let peer = peer.map(|peer| allocated_bytes(peer, ROUNDS)).transpose()?;
            let ours = allocated_bytes(ours, ROUNDS)?;
            report.counted(&format!("{name}, bytes"), ours, peer, Goal::AtMost(160.0));
        }
        let bytes = allocated_bytes(REQUEST, ROUNDS)?;
        let name = "a live request context (cancel, deadline, span, 3 entries unread), bytes";
        report.counted(name, bytes, None, Goal::AtMost(250.0));
    }
    Ok(())
}
