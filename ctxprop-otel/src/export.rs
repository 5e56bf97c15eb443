//! [`CountedBatch`]: a batch processor that counts the spans it loses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfig, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};

use crate::faults;

/// The SDK's batch processor, with all that it loses in [`faults`](crate::faults).
///
/// A collector that is down, refuses or hangs hurts no request: a span is handed to a thread of its own, and dropped
/// where that thread's queue is full. The SDK tells that to nobody but its own log. Here a batch that failed is counted
/// at once, and what was dropped by a full queue, or was still in an export that hung, when the provider is shut down.
///
/// # Examples
///
/// ```
/// use ctxprop_otel::{CountedBatch, CtxIds};
/// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
///
/// let exporter = InMemorySpanExporter::default(); // or that of opentelemetry-otlp
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(CtxIds::new())
///     .with_span_processor(CountedBatch::new(exporter))
///     .build();
/// # drop(provider);
/// ```
#[derive(Debug)]
pub struct CountedBatch {
    processor: BatchSpanProcessor,
    flow: Arc<Flow>,
}

/// How many spans there were.
#[derive(Debug, Default)]
struct Flow {
    ended: AtomicU64,
    /// Of those, how many were exported, or counted as lost.
    settled: AtomicU64,
}

impl CountedBatch {
    /// Exports by `exporter` in batches, as the environment variables `OTEL_BSP_*` or the SDK's defaults say.
    pub fn new<E: SpanExporter + 'static>(exporter: E) -> Self {
        CountedBatch::with_config(exporter, BatchConfig::default())
    }

    /// Exports by `exporter` in batches, as `config` says.
    pub fn with_config<E: SpanExporter + 'static>(exporter: E, config: BatchConfig) -> Self {
        let flow = Arc::<Flow>::default();
        let counted = Counted { exporter, flow: Arc::clone(&flow) };
        CountedBatch { processor: BatchSpanProcessor::new(counted, config), flow }
    }
}

impl SpanProcessor for CountedBatch {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.processor.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.flow.ended.fetch_add(1, Ordering::Relaxed);
        }
        self.processor.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let done = self.processor.shutdown_with_timeout(timeout);
        let ended = self.flow.ended.load(Ordering::Relaxed);
        let settled = self.flow.settled.swap(ended, Ordering::Relaxed);
        let lost = ended.saturating_sub(settled);
        if lost > 0 {
            faults::spans_lost(lost);
        }
        done
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// The exporter below it.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    flow: Arc<Flow>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let done = self.exporter.export(batch).await;
        self.flow.settled.fetch_add(spans, Ordering::Relaxed);
        if done.is_err() {
            faults::export_failed(spans);
        }
        done
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
