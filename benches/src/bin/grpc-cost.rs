//! What a gRPC call pays for its context, in all directions: the channel, the layer, and what both put on the wire.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin grpc-cost
//! ```
//!
//! A unary hello of tonic's, over HTTP/2 in memory: client, both ends of the connection and server on one thread. With
//! nothing of ours, with the same metadata set by hand, with it set as cheaply as it can be, with the layer alone, and with
//! layer and channel, whose calls have a span, a budget and a tenant. It counts instructions and allocations under valgrind,
//! as `wire-cost` does. It tells whether the goal is missed; the exit code is 1 where what was reached is lost.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::future::ready;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ctxprop::{Background, Baggage, Ctx, SpanContext};
use ctxprop_benches::instructions::{Case, allocations, instructions, ran_as_child};
use ctxprop_grpc_probe::{Answer, Ask, ProbeClient, ProbeServer, Script};
use ctxprop_tonic::{CtxChannel, CtxLayer};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response};
use tower::service_fn;

const ROUNDS: [u64; 2] = [100, 300];

const CASES: [Case; 5] = [
    ("tonic", |rounds| run(plain(rounds))),
    ("tonic, metadata by hand", |rounds| run(by_hand(rounds))),
    ("tonic, the least metadata", |rounds| run(least(rounds))),
    ("tonic, CtxLayer", |rounds| run(layer(rounds))),
    ("tonic, CtxLayer, CtxChannel", |rounds| run(both(rounds))),
];

/// The most that a call may cost beyond tonic's own.
const GOAL: f64 = 9_000.0;
/// What is reached, beyond the same metadata set by hand, and must not be lost: more fails.
const HOLDS: f64 = 14_500.0;

/// Of each call. On a busy machine one takes seconds under valgrind.
const BUDGET: Duration = Duration::from_secs(60);

#[derive(Baggage)]
struct Caller {
    #[baggage(key = "tenant")]
    tenant: String,
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(work);
}

fn hello() -> ProbeServer<Script> {
    ProbeServer::new(Script::default().unary(|_| ready(Ok(Response::new(Answer::said("hello"))))))
}

/// The two ends of a connection: the client's, and a server's stream of incoming ones.
fn connection() -> (Endpoint, Channel, impl tokio_stream::Stream<Item = io::Result<DuplexStream>>) {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let mut client = Some(client);
    let connector = service_fn(move |_| {
        let stream = client.take().map(TokioIo::new);
        ready(stream.ok_or_else(|| io::Error::other("there is one connection")))
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector_lazy(connector);
    (endpoint, channel, tokio_stream::once(Ok(server)))
}

async fn plain(rounds: u64) {
    let (_, channel, incoming) = connection();
    let server = Server::builder().add_service(hello());
    drop(tokio::spawn(server.serve_with_incoming(incoming)));
    let mut client = ProbeClient::new(channel);
    for _ in 0..rounds {
        client.unary(Ask::default()).await.expect("an answer");
    }
}

/// What the wire and tonic's own timers cost: the same metadata, a new span in each, and nothing of ours.
async fn by_hand(rounds: u64) {
    let (_, channel, incoming) = connection();
    let server = Server::builder().add_service(hello());
    drop(tokio::spawn(server.serve_with_incoming(incoming)));
    let mut client = ProbeClient::new(channel);
    for _ in 0..rounds {
        let mut request = Request::new(Ask::default());
        let span = SpanContext::root();
        let parent = format!("00-{}-{}-03", span.trace_id(), span.span_id());
        let span = parent.parse().expect("metadata");
        request.metadata_mut().insert("traceparent", span);
        request.metadata_mut().insert("baggage", MetadataValue::from_static("tenant=acme"));
        request.set_timeout(BUDGET);
        client.unary(request).await.expect("an answer");
    }
}

/// Puts `number` over all of `digits`.
fn number(digits: &mut [u8], mut number: u64, radix: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % radix) as usize];
        number /= radix;
    }
}

/// The least that what ours tells can cost: values that are ready, those that are new in each call never indexed, as ours;
/// and tonic's own timers, which keep the deadline, but tell nobody, nor anybody's end but their own.
async fn least(rounds: u64) {
    let (_, channel, incoming) = connection();
    let server = Server::builder().add_service(hello());
    drop(tokio::spawn(server.serve_with_incoming(incoming)));
    let mut client = ProbeClient::new(channel);
    let mut parent = *b"00-0af7651916cd43dd8448eb211c80319c-ffffffffffffffff-03";
    let mut timeout = *b"59999999u";
    for round in 0..rounds {
        let mut request = Request::new(Ask::default());
        number(&mut parent[36..52], u64::MAX - round, 16);
        number(&mut timeout[..8], 59_999_999 - round, 10);
        for (key, value) in [("traceparent", &parent[..]), ("grpc-timeout", &timeout)] {
            let mut value = MetadataValue::try_from(value).expect("metadata");
            value.set_sensitive(true);
            request.metadata_mut().insert(key, value);
        }
        request.metadata_mut().insert("baggage", MetadataValue::from_static("tenant=acme"));
        client.unary(request).await.expect("an answer");
    }
}

async fn layer(rounds: u64) {
    let (_, channel, incoming) = connection();
    let server = Server::builder().layer(CtxLayer::mesh()).add_service(hello());
    drop(tokio::spawn(server.serve_with_incoming(incoming)));
    let mut client = ProbeClient::new(channel);
    for _ in 0..rounds {
        client.unary(Ask::default()).await.expect("an answer");
    }
}

async fn both(rounds: u64) {
    let (endpoint, channel, incoming) = connection();
    let server = Server::builder().layer(CtxLayer::mesh()).add_service(hello());
    drop(tokio::spawn(server.serve_with_incoming(incoming)));
    let host = endpoint.uri().host().unwrap_or_default();
    let mut client = ProbeClient::new(CtxChannel::new(channel).to(host));
    let caller = Caller { tenant: "acme".to_owned() };
    let root = Ctx::background().child_span().with_baggage(&caller).expect("it is little");
    for _ in 0..rounds {
        let ctx = root.with_timeout(BUDGET);
        ctx.scope(client.unary(Ask::default())).await.expect("an answer");
    }
}

fn main() -> Result<ExitCode, String> {
    if ran_as_child(&CASES) {
        return Ok(ExitCode::SUCCESS);
    }
    let mut costs = Vec::new();
    for case in CASES {
        let (instructions, allocations) = (instructions(case, ROUNDS)?, allocations(case, ROUNDS)?);
        println!("{:28} {instructions:>8.0} instructions {allocations:>4.0} allocations", case.0);
        costs.push(instructions);
    }
    let [tonic, by_hand, least, .., both] = costs[..] else {
        return Err("a case is missing".to_owned());
    };
    let (more, ours) = (both - tonic, both - by_hand);
    let reached = if more <= GOAL { "reached" } else { "missed" };
    println!(
        "+{more:.0} a call (goal +{GOAL}): {reached}; +{ours:.0} beyond the metadata and tonic's timers"
    );
    println!("the floor, the least metadata alone, is +{:.0}", least - tonic);
    Ok(if ours <= HOLDS { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
