//! A collector that is down, or hangs: no request notices, and what is lost is counted.

use std::io::Read;
use std::net::TcpListener as StdListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ctxprop_otel::opentelemetry::trace::{Span, Tracer, TracerProvider};
use ctxprop_otel::{CountedBatch, CtxIds, faults};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, InMemorySpanExporter, SdkTracerProvider, SpanData, SpanExporter,
};

/// Sends each batch to a socket, as an exporter does, and waits for an answer.
#[derive(Debug)]
struct ToSocket {
    address: std::net::SocketAddr,
    /// Told of each batch before it is sent.
    sends: mpsc::SyncSender<usize>,
}

impl SpanExporter for ToSocket {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.sends
            .send(batch.len())
            .map_err(|error| OTelSdkError::InternalFailure(error.to_string()))?;
        let failed = |error: std::io::Error| OTelSdkError::InternalFailure(error.to_string());
        let mut socket = std::net::TcpStream::connect(self.address).map_err(failed)?;
        let mut answer = [0];
        socket.read_exact(&mut answer).map_err(failed)
    }
}

fn provider(exporter: impl SpanExporter + 'static) -> SdkTracerProvider {
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(8)
        .with_max_export_batch_size(4)
        .with_scheduled_delay(Duration::from_secs(3_600))
        .build();
    SdkTracerProvider::builder()
        .with_id_generator(CtxIds::new())
        .with_span_processor(CountedBatch::with_config(exporter, config))
        .build()
}

/// One test, because the counters are the process's.
#[test]
fn what_a_collector_loses_is_counted_and_holds_nobody_up() {
    // A good one loses nothing.
    let before = faults();
    let memory = InMemorySpanExporter::default();
    let good = provider(memory.clone());
    (0..4).for_each(|_| good.tracer("test").start("span").end());
    good.shutdown().unwrap();
    assert_eq!(faults(), before);

    // Down: the batch fails, and is counted at once.
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (sends, sent) = mpsc::sync_channel(64);
    let down = provider(ToSocket { address, sends });
    (0..3).for_each(|_| down.tracer("test").start("span").end());
    down.force_flush().unwrap_err();
    assert_eq!(sent.recv(), Ok(3));
    let after = faults();
    assert_eq!(after.exports_failed - before.exports_failed, 1);
    assert_eq!(after.spans_lost - before.spans_lost, 3);
    down.shutdown().unwrap();
    assert_eq!(faults().spans_lost, after.spans_lost, "nothing is counted twice");

    // Hanging: it takes the connection and never answers. The queue fills, and ending a span waits for nobody.
    let before = faults();
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sends, sent) = mpsc::sync_channel(64);
    let hanging = provider(ToSocket { address, sends });
    let tracer = hanging.tracer("test");
    (0..4).for_each(|_| tracer.start("span").end());
    assert_eq!(sent.recv(), Ok(4));
    let held = listener.accept().unwrap();
    let began = Instant::now();
    (0..1_000).for_each(|_| tracer.start("span").end());
    let ended = began.elapsed();
    let down = hanging.shutdown_with_timeout(Duration::from_millis(50));
    assert!(down.is_err(), "it is still exporting");
    assert!(
        ended < Duration::from_secs(10),
        "an export that hangs would have held this up for ever"
    );
    assert_eq!(faults().spans_lost - before.spans_lost, 1_004, "all that nobody has seen arrive");
    drop(held);
}
