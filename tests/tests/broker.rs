//! A context through a real message broker, NATS, in the headers of its messages: in and out in one line each.
//!
//! Needs `nats-server` (Debian: `apt-get install nats-server`). Where there is none it says so and tests nothing.

#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::HeaderMap;
use ctxprop::wire::Formats;
use ctxprop::{Background, BaggageMap, Ctx, SpanContext};
use futures::StreamExt;

struct Broker {
    server: Child,
    address: String,
}

impl Broker {
    /// On any free port; `None` where there is no `nats-server`.
    fn start() -> Option<Broker> {
        let spawn = |program: &&str| {
            let mut command = Command::new(program);
            command.args(["--addr", "127.0.0.1", "--port", "-1"]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()
        };
        let Some(mut server) = ["nats-server", "/usr/sbin/nats-server"].iter().find_map(spawn)
        else {
            // not through a macro, whose output a passing test keeps to itself
            let message = "SKIPPED: no nats-server here, so no context went through a broker \
                           (Debian: apt-get install nats-server)\n";
            std::io::stderr().write_all(message.as_bytes()).unwrap();
            return None;
        };
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
        let mut address = None;
        for line in log.by_ref() {
            let line = line.unwrap();
            if let Some((_, found)) = line.split_once("Listening for client connections on ") {
                address = Some(found.to_owned());
            }
            if line.contains("Server is ready") {
                break;
            }
        }
        // Somebody must read on, or the server would block.
        std::thread::spawn(move || log.for_each(drop));
        Some(Broker { server, address: address.unwrap() })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

fn caller() -> Ctx {
    let mut builder = BaggageMap::builder();
    builder.insert_with("user", "Amélie, \n", [("p", Some(",;")), ("q", None)]).unwrap();
    for number in 0..59 {
        builder.insert(&format!("key{number:02}"), &"x".repeat(129)).unwrap();
    }
    let incoming = {
        let span = SpanContext::root().with_trace_state("rojo=1,congo= 2".parse().unwrap());
        let outgoing = ctxprop::wire::Outgoing {
            span: &span,
            baggage: Some(&builder.build()),
            remaining: Some(Duration::from_secs(600)),
        };
        let mut headers = http::HeaderMap::new();
        outgoing.write(&mut headers).unwrap();
        Formats::new().extract(&headers)
    };
    Ctx::background().with_incoming(incoming).0
}

#[tokio::test]
async fn a_context_goes_through_a_message_broker() {
    let Some(broker) = Broker::start() else { return };
    let client = async_nats::connect(&broker.address).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();

    let ctx = caller();
    assert_eq!(ctx.baggage_map().header_lines().len(), 2);
    let producer = ctx.child_span();
    let mut headers = HeaderMap::new();
    // what somebody set by hand is replaced, under whatever name
    headers.insert("TraceParent", "stale");
    headers.insert("X-Timeout-Ms", "999999999");
    headers.insert("content-type", "text/plain");
    producer.inject(&mut headers, &Formats::queued()).unwrap();
    client.publish_with_headers("orders", headers, "one book".into()).await.unwrap();

    let message = orders.next().await.unwrap();
    let received = message.headers.as_ref().unwrap();
    assert_eq!(received.get("content-type").unwrap().as_str(), "text/plain");
    assert!(received.get("TraceParent").is_none() && received.get("X-Timeout-Ms").is_none());
    let incoming = Formats::queued().extract(&message.headers);
    assert_eq!(incoming.dropped(), 0);
    let (consumer, _canceller) = Ctx::background().with_incoming(incoming);
    assert_eq!(consumer.span().trace_id(), ctx.span().trace_id());
    assert_eq!(consumer.span().parent_id(), Some(producer.span().span_id()));
    assert_eq!(consumer.span().trace_state(), ctx.span().trace_state());
    let (ours, theirs) = (ctx.baggage_map(), consumer.baggage_map());
    assert_eq!(theirs.iter().collect::<Vec<_>>(), ours.iter().collect::<Vec<_>>());
    assert!(consumer.baggage_map().properties("user").eq(ctx.baggage_map().properties("user")));
    let left = consumer.remaining().unwrap();
    assert!(left < Duration::from_secs(600) && left > Duration::ZERO, "{left:?}");
}

#[tokio::test]
async fn the_time_in_the_queue_is_part_of_the_budget() {
    let Some(broker) = Broker::start() else { return };
    let client = async_nats::connect(&broker.address).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();

    let ctx = Ctx::background().child_span().with_timeout(Duration::from_millis(50));
    let headers = ctx.injected(&Formats::queued()).unwrap();
    client.publish_with_headers("orders", headers, "late".into()).await.unwrap();
    client.publish("orders", "of somebody who knows nothing of it".into()).await.unwrap();

    // the consumer gets to it when nobody waits any more
    ctx.done().await;
    let message = orders.next().await.unwrap();
    let (consumer, _canceller) =
        Ctx::background().with_incoming(Formats::queued().extract(&message.headers));
    assert!(consumer.is_done());
    assert!(consumer.check().unwrap_err().is_deadline());
    assert_eq!(consumer.span().trace_id(), ctx.span().trace_id());

    let bare = orders.next().await.unwrap();
    assert!(bare.headers.is_none());
    let (consumer, _canceller) =
        Ctx::background().with_incoming(Formats::queued().extract(&bare.headers));
    assert!(consumer.span().is_valid() && !consumer.is_done(), "it begins a trace of its own");
}
