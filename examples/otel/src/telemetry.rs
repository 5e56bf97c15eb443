//! ctxprop and OpenTelemetry, put together: all that a program has to say of it.

use std::error::Error;

use ctxprop_otel::opentelemetry::trace::TracerProvider;
use ctxprop_otel::{CountedBatch, CtxIds, faults, record_hops};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// What exports spans until it is shut down.
pub(crate) struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Exports the spans of this process by OTLP, and logs to standard output.
    pub(crate) fn install(service: &str) -> Result<Telemetry, Box<dyn Error>> {
        // Where to is said by `OTEL_EXPORTER_OTLP_ENDPOINT`, how often by `OTEL_BSP_SCHEDULE_DELAY`.
        let exporter = SpanExporter::builder().with_http().build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name(service.to_owned()).build())
            // A span is exported with the id that has travelled ..
            .with_id_generator(CtxIds::new())
            // .. and whatever the collector does, no request waits for it.
            .with_span_processor(CountedBatch::new(exporter))
            .build();
        let tracer = provider.tracer("otel-example");
        // Requests, as servers and clients have them, are recorded as they are ..
        if !record_hops(tracer.clone()) {
            return Err("something else records requests".into());
        }
        // .. and the spans of functions are those of `tracing`. Of target `ctxprop` are those of requests.
        let others = filter_fn(|it| *it.level() <= LevelFilter::INFO && it.target() != "ctxprop");
        tracing_subscriber::registry()
            .with(ctxprop_otel::layer(tracer).with_filter(others))
            // The same ids are in the logs: they are fields of the spans.
            .with(tracing_subscriber::fmt::layer().with_ansi(false).with_filter(LevelFilter::INFO))
            .try_init()?;
        Ok(Telemetry { provider })
    }

    /// Exports what is left, and tells what was lost.
    pub(crate) fn shutdown(self) {
        if let Err(error) = self.provider.shutdown() {
            println!("the last spans were not exported: {error}");
        }
        let faults = faults();
        if faults.spans_lost > 0 {
            println!("{} spans were lost", faults.spans_lost);
        }
    }
}
