//! HTTP to gRPC to HTTP, and a real collector: one trace, with the ids that travelled, and what each end does to it.
//!
//! The services are those of `examples/grpc`, over real sockets. They share a process here, and what they log is read along.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ctxprop_otel::opentelemetry::trace::TracerProvider;
use ctxprop_otel::{CountedBatch, CtxIds, faults};
use grpc::{House, Log, Seen};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::{BatchConfigBuilder, SdkTracerProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

mod support {
    #![allow(dead_code, reason = "each suite uses its part")]
    pub(crate) mod process;
    pub(crate) mod sink;
    pub(crate) mod venv;
}

use support::sink::{CLIENT, Exported, INTERNAL, SERVER, Sink, Spans};
use support::venv;

/// The fields of all spans with ids, as a log shows them.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<HashMap<&'static str, String>>>>);

impl Logged {
    /// Whether a hop was logged with these ids.
    fn has(&self, span: &Exported) -> bool {
        let is = |said: &HashMap<_, String>, key, value: &str| {
            said.get(key).map_or("", String::as_str) == value
        };
        self.0.lock().unwrap().iter().any(|said| {
            is(said, "trace_id", span.trace_id())
                && is(said, "span_id", span.span_id())
                && (is(said, "parent_id", span.parent_id()) || span.kind() == INTERNAL)
        })
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Logged {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if fields.0.contains_key("span_id") {
            self.0.lock().unwrap().push(fields.0);
        }
    }
}

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// A runtime whose clock stands still while there is something to do, or goes by the wall's.
fn run(paused: bool, scene: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(paused).build().unwrap().block_on(scene);
}

/// A caller that is not traced.
async fn ask(house: &House, line: &str, headers: &str) -> TcpStream {
    let address = house.shop.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\n{headers}\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn answer(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn until(seen: &mut UnboundedReceiver<Seen>, at: &str) -> Seen {
    loop {
        let it = seen.recv().await.unwrap();
        if it.at == at {
            return it;
        }
    }
}

/// The seven of an order, from the edge to the last hop: each below the one before, with the ids that were logged, and so
/// the span that a hop was sent with is the parent of the one that it came to.
fn order<'a>(spans: &'a Spans, logged: &Logged) -> Vec<&'a Exported> {
    let edge = spans.named("POST /orders/{id}");
    assert_eq!(edge.parent_id(), "", "the edge begins a trace");
    let mut chain = vec![edge];
    chain.extend(spans.chain(edge.span_id()));
    let hops: Vec<_> = chain.iter().map(|span| (span.name(), span.kind())).collect();
    assert_eq!(
        hops,
        [
            ("POST /orders/{id}", SERVER),
            ("reserve", INTERNAL),
            ("warehouse.Warehouse/Reserve", CLIENT),
            ("warehouse.Warehouse/Reserve", SERVER),
            ("fetches", INTERNAL),
            ("POST", CLIENT),
            ("POST /fetch/{id}", SERVER),
        ]
    );
    for span in &chain {
        assert_eq!(span.trace_id(), edge.trace_id(), "{span:?}");
        assert!(logged.has(span), "{span:?}");
    }
    chain
}

fn attribute<'a>(span: &'a Exported, key: &str) -> Option<&'a str> {
    span.attributes().get(key).copied()
}

#[test]
fn a_mixed_chain_is_one_trace_whichever_way_it_ends() {
    let Some(python) = venv::of(&venv::SINK) else { return };
    let mut sink = Sink::start(python);
    let endpoint = format!("{}/v1/traces", sink.endpoint());
    let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build().unwrap();
    let often =
        BatchConfigBuilder::default().with_scheduled_delay(Duration::from_millis(20)).build();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(CtxIds::new())
        .with_span_processor(CountedBatch::with_config(exporter, often))
        .build();
    let logged = Logged::default();
    let exports = ctxprop_otel::layer(provider.tracer("mixed")).with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(logged.clone()).with(exports).init();

    // With time enough.
    run(true, async {
        let (log, _seen) = Log::new();
        let house = House::open(&log).await.unwrap();
        let said = answer(ask(&house, "POST /orders/50", "").await).await;
        assert!(said.ends_with("article 50 from shelf 1"), "{said}");
    });
    let spans = sink.spans(7);
    let chain = order(&spans, &logged);
    let [_, _, sent, called, _, fetched, fetch] = chain[..] else { panic!("seven") };
    for span in &chain {
        assert!(!span.failed() && attribute(span, "error.type").is_none(), "{span:?}");
    }
    for span in [sent, called] {
        assert_eq!(attribute(span, "rpc.system.name"), Some("grpc"));
        assert_eq!(attribute(span, "rpc.method"), Some("warehouse.Warehouse/Reserve"));
        assert_eq!(attribute(span, "rpc.response.status_code"), Some("OK"));
    }
    assert_eq!(attribute(sent, "server.address"), Some("127.0.0.1"));
    assert!(attribute(sent, "server.port").is_some_and(|port| port.parse::<u16>().is_ok()));
    assert_eq!(attribute(fetched, "http.response.status_code"), Some("200"));
    for span in [called, fetch] {
        assert_eq!(attribute(span, "ctxprop.cause"), Some("finished"));
    }
    let budgets: Vec<u64> = chain
        .iter()
        .map(|span| attribute(span, "ctxprop.budget_ms").unwrap().parse().unwrap())
        .collect();
    assert!(budgets.is_sorted_by(|earlier, later| earlier >= later), "{budgets:?}");
    assert!(budgets[0] <= 10_000 && budgets[6] > 9_000, "{budgets:?}");

    // At the deadline of the caller.
    run(true, async {
        let (log, mut seen) = Log::new();
        let house = House::open(&log).await.unwrap();
        let asked = ask(&house, "POST /orders/60000", "x-timeout-ms: 300\r\n").await;
        let said = answer(asked).await;
        assert!(said.starts_with("HTTP/1.1 504 "), "{said}");
        until(&mut seen, "robot").await;
        until(&mut seen, "robot").await;
    });
    let spans = sink.spans(7);
    let chain = order(&spans, &logged);
    for span in &chain {
        assert!(span.failed() && attribute(span, "error.type").is_some(), "{span:?}");
    }
    let [edge, _, sent, called, ..] = chain[..] else { panic!("seven") };
    for span in [edge, called] {
        assert_eq!(attribute(span, "ctxprop.cause"), Some("deadline_exceeded"), "{span:?}");
    }
    for span in [sent, called] {
        assert_eq!(attribute(span, "rpc.response.status_code"), Some("DEADLINE_EXCEEDED"));
        assert_eq!(attribute(span, "error.type"), Some("DEADLINE_EXCEEDED"));
    }

    // The caller leaves once the last hop has begun.
    run(false, async {
        let (log, mut seen) = Log::new();
        let house = House::open(&log).await.unwrap();
        let asked = ask(&house, "POST /orders/60000", "").await;
        until(&mut seen, "robot").await;
        drop(asked);
        let gone = until(&mut seen, "robot").await;
        assert_eq!(gone.what, "the client disconnected");
    });
    let spans = sink.spans(7);
    for span in order(&spans, &logged) {
        assert!(!span.failed() && attribute(span, "error.type").is_none(), "{span:?}");
        assert_eq!(attribute(span, "ctxprop.cause"), Some("disconnected"), "{span:?}");
    }

    // A stream that ends at a deadline which the shop set for it, and made an answer of: that is in the span of the call
    // and in the peer's.
    run(true, async {
        let (log, _seen) = Log::new();
        let house = House::open(&log).await.unwrap();
        let said = answer(ask(&house, "GET /levels/9", "").await).await;
        assert!(said.ends_with("[9, 8, 7, 6, 5, 4]"), "{said}");
    });
    let spans = sink.spans(5);
    let edge = spans.named("GET /levels/{id}");
    let chain = spans.chain(edge.span_id());
    let hops: Vec<_> = chain.iter().map(|span| (span.name(), span.kind())).collect();
    let watch = "warehouse.Warehouse/Watch";
    assert_eq!(
        hops,
        [("listen", INTERNAL), (watch, CLIENT), (watch, SERVER), ("counts", INTERNAL)]
    );
    // The shop's own answer is whole.
    assert!(!edge.failed(), "{spans:?}");
    for span in &chain[1..3] {
        assert!(span.failed() && logged.has(span), "{span:?}");
        assert_eq!(attribute(span, "rpc.response.status_code"), Some("DEADLINE_EXCEEDED"));
        assert_eq!(attribute(span, "ctxprop.cause"), Some("deadline_exceeded"));
    }

    provider.shutdown().unwrap();
    let faults = faults();
    assert_eq!((faults.spans_lost, faults.other_ids), (0, 0), "{faults:?}");
}
