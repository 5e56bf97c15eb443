//! How long it takes from a client that leaves to the drop of what works for it, three hops further on: servers and clients
//! over real sockets, in turns with axum and reqwest alone, in which each hop drops its future at once.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::get;
use axum::{Router, http};
use ctxprop::{Background, Cancelled, Ctx, propagate};
use ctxprop_axum::{CtxLayer, Failure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::report::{Goal, Part, Report, Runs};
use crate::served::request;

/// How many clients leave each chain; the median counts.
const TURNS: usize = 301;

/// What the last hop tells: that it works, and that it was dropped.
#[derive(Debug)]
enum Event {
    Began,
    Dropped(Instant),
}

type Events = UnboundedSender<Event>;

/// Work at the last hop.
struct Work(Events);

impl Work {
    fn begin(events: Events) -> Work {
        events.send(Event::Began).expect("a listener");
        Work(events)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // At the end of all, nobody listens.
        drop(self.0.send(Event::Dropped(Instant::now())));
    }
}

async fn plain_last(State(events): State<Events>) {
    let _work = Work::begin(events);
    pending::<()>().await;
}

#[derive(Clone)]
struct Plain {
    client: reqwest::Client,
    next: String,
}

async fn plain_hop(State(hop): State<Plain>) -> Result<String, http::StatusCode> {
    let failed = |_| http::StatusCode::BAD_GATEWAY;
    let answer = hop.client.get(&hop.next).send().await.map_err(failed)?;
    answer.text().await.map_err(failed)
}

#[propagate]
async fn last(_ctx: Ctx, State(events): State<Events>) -> Result<(), Cancelled> {
    let _work = Work::begin(events);
    pending::<()>().await;
    Ok(())
}

#[derive(Clone)]
struct Ours {
    client: ctxprop_reqwest::Client,
    next: String,
}

#[propagate]
async fn hop(_ctx: Ctx, State(hop): State<Ours>) -> Result<String, Failure> {
    Ok(hop.client.get(&hop.next).send().await?.text().await?)
}

#[propagate]
async fn spawning_hop(ctx: Ctx, State(hop): State<Ours>) -> Result<String, Failure> {
    Ok(ctx.spawn(asks(hop)).await??)
}

#[propagate]
async fn asks(hop: Ours) -> Result<String, ctxprop_reqwest::Error> {
    hop.client.get(&hop.next).send().await?.text().await
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
    address
}

/// Three hops, of which the last works until it is dropped.
struct Chain {
    first: SocketAddr,
    events: UnboundedReceiver<Event>,
}

impl Chain {
    async fn plain() -> Chain {
        let (send, events) = unbounded_channel();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut next = serve(Router::new().route("/", get(plain_last)).with_state(send)).await;
        for _ in 0..2 {
            let hop = Plain { client: client.clone(), next: format!("http://{next}/") };
            next = serve(Router::new().route("/", get(plain_hop)).with_state(hop)).await;
        }
        Chain { first: next, events }
    }

    async fn ours(root: &Ctx, spawns: bool) -> Chain {
        let (send, events) = unbounded_channel();
        let layer = CtxLayer::mesh().under(root).default_budget(Duration::from_secs(60));
        let client = ctxprop_reqwest::Client::builder().no_proxy().build().expect("a client");
        let app = Router::new().route("/", get(last)).with_state(send).layer(layer.clone());
        let mut next = serve(app).await;
        for first in [false, true] {
            let state = Ours { client: client.clone(), next: format!("http://{next}/") };
            let route = if first && spawns { get(spawning_hop) } else { get(hop) };
            next =
                serve(Router::new().route("/", route).with_state(state).layer(layer.clone())).await;
        }
        Chain { first: next, events }
    }

    /// From the client that leaves to the drop of the work.
    async fn turn(&mut self) -> Duration {
        let mut client = TcpStream::connect(self.first).await.expect("a connection");
        client.write_all(&request("/", 3, Some(30_000))).await.expect("a server");
        assert!(matches!(self.events.recv().await, Some(Event::Began)));
        let left = Instant::now();
        drop(client);
        match self.events.recv().await {
            Some(Event::Dropped(at)) => at - left,
            other => panic!("{other:?} was not expected"),
        }
    }
}

/// This file's part.
pub const PART: Part = Part { name: "gone", runs: Runs::Whole, cases: &[], measure };

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn measure(report: &mut Report) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let (root, _canceller) = Ctx::background().with_cancel();
        let mut chains =
            [Chain::plain().await, Chain::ours(&root, false).await, Chain::ours(&root, true).await];
        let mut took = [const { Vec::new() }; 3];
        for turn in 0..TURNS {
            for (chain, took) in chains.iter_mut().zip(&mut took) {
                let micros = chain.turn().await.as_secs_f64() * 1e6;
                // The first ones connect and fill caches.
                if turn >= TURNS / 10 {
                    took.push(micros);
                }
            }
        }
        let [plain, ours, spawns] = took.map(median);
        let name = "client gone to the third hop's work dropped, microseconds";
        report.measured(name, ours, Some(plain), Goal::Ratio(1.10));
        let name = "the same with ctx.spawn in the first hop, microseconds";
        report.measured(name, spawns, Some(plain), Goal::Ratio(1.15));
    });
    Ok(())
}
