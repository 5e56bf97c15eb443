//! Requests a second of "hello, world" under layers, over real sockets, in turns: the machine's other work falls on all of
//! them alike, and the median of the ratios counts. And what a second thread adds where both serve one layer.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use ctxprop::{Background, Ctx};
use ctxprop_axum::CtxLayer;
use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace_axum::FastraceLayer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::peers::minimal::Minimal;
use crate::peers::otel::Otel;
use crate::report::{Goal, Part, Report, Runs};
use crate::served::{Served, request};

const BODY: &str = "hello, world";
const BUDGET: Duration = Duration::from_secs(10);
/// So many connections send so many requests each in one turn, one after the other.
const CONNECTIONS: usize = 16;
const REQUESTS: usize = 400;
const TURNS: usize = 9;
/// How many requests each thread makes for the second row.
const EACH: u64 = 20_000;

/// Drops all spans.
struct Nowhere;

impl Reporter for Nowhere {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}

fn bare() -> Router {
    Router::new().route("/", get(async || BODY))
}

fn layer(root: &Ctx) -> CtxLayer {
    CtxLayer::mesh().under(root).default_budget(BUDGET)
}

/// Serves it for as long as the runtime lasts.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
    address
}

async fn requests(address: SocketAddr) {
    let request = request("/", 3, Some(5_000));
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    connection.set_nodelay(true).expect("an option");
    let mut read = vec![0; 4_096];
    for _ in 0..REQUESTS {
        connection.write_all(&request).await.expect("a server");
        let mut length = 0;
        while !read[..length].ends_with(BODY.as_bytes()) {
            length += connection.read(&mut read[length..]).await.expect("an answer");
        }
    }
}

/// How many requests a second one turn has.
fn turn(runtime: &Runtime, address: SocketAddr) -> f64 {
    let began = Instant::now();
    runtime.block_on(async {
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(requests(address))).collect();
        for client in clients {
            client.await.expect("a client");
        }
    });
    (CONNECTIONS * REQUESTS) as f64 / began.elapsed().as_secs_f64()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}

/// How many times as much two threads get done as one, where `layers` tells whether they share a layer.
fn two_over_one(shared: bool) -> f64 {
    let (root, _canceller) = Ctx::background().with_cancel();
    let one = layer(&root);
    // A router of its own for each thread: what axum shares is not what is measured.
    let app = || match shared {
        true => bare().layer(one.clone()),
        false => bare().layer(layer(&Ctx::background().with_cancel().0)),
    };
    let run = |threads: usize| {
        let start = Arc::new(Barrier::new(threads + 1));
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (app, start) = (app(), Arc::clone(&start));
                thread::spawn(move || {
                    let mut served = Served::new(app).expect("a runtime");
                    let request = request("/", 3, Some(5_000));
                    served.request(&request, BODY.as_bytes(), EACH / 10).expect("answers");
                    start.wait();
                    served.request(&request, BODY.as_bytes(), EACH).expect("answers");
                })
            })
            .collect();
        start.wait();
        let began = Instant::now();
        for worker in workers {
            worker.join().expect("a worker");
        }
        threads as f64 * EACH as f64 / began.elapsed().as_secs_f64()
    };
    median(
        (0..5)
            .map(|_| {
                let one = run(1);
                run(2) / one
            })
            .collect(),
    )
}

/// This file's part.
pub const PART: Part = Part { name: "throughput", runs: Runs::Whole, cases: &[], measure };

fn measure(report: &mut Report) -> Result<(), String> {
    fastrace::set_reporter(Nowhere, Config::default());
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let (root, _canceller) = Ctx::background().with_cancel();
    let apps = [
        ("bare", bare()),
        ("CtxLayer", bare().layer(layer(&root))),
        ("a minimal layer", bare().layer(Minimal { budget: BUDGET })),
        ("fastrace-axum", bare().layer(FastraceLayer::default())),
        ("OpenTelemetry", bare().layer(Otel)),
    ];
    let served = apps.map(|(name, app)| (name, runtime.block_on(serve(app)), Vec::new()));
    let mut served = Vec::from(served);
    for _ in 0..TURNS {
        for (_, address, rates) in &mut served {
            rates.push(turn(&runtime, *address));
        }
    }
    let Some(((_, _, bare), layers)) = served.split_first() else { return Ok(()) };
    for (name, _, rates) in layers {
        let ratio = median(rates.iter().zip(bare).map(|(rate, bare)| rate / bare).collect());
        let goal = if *name == "CtxLayer" { Goal::AtLeast(0.95) } else { Goal::None };
        report.measured(&format!("requests a second, {name}, to bare"), ratio, None, goal);
    }
    report.measured("requests a second, bare", median(bare.clone()), None, Goal::None);
    let apart = two_over_one(false);
    let name = "two threads over one, one layer under a cancellable root, peer a layer each";
    report.measured(name, two_over_one(true), Some(apart), Goal::AtLeast(1.8));
    Ok(())
}
