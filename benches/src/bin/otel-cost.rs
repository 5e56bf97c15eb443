//! What an exported span costs a request of axum: `CtxLayer` with ctxprop-otel, by either of its ways, beside
//! axum-tracing-opentelemetry.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/Cargo.toml --bin otel-cost
//! ```
//!
//! It counts instructions, which are the same on every machine. It runs itself under valgrind (Debian: `apt-get install
//! valgrind`) for two numbers of rounds, and divides the difference. A round is one request with a `traceparent` through
//! a router with one route, without a socket; its span goes to an exporter that counts it and nothing else. It tells
//! which goal is missed; the exit code is 1 where what was reached is lost.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use ctxprop_axum::CtxLayer;
use ctxprop_benches::instructions::{Case, instructions, ran_as_child};
use ctxprop_otel::CtxIds;
use ctxprop_otel::opentelemetry::trace::TracerProvider;
use ctxprop_otel::opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tower::ServiceExt;
use tracing::Metadata;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

const ROUNDS: [u64; 2] = [100, 300];

const CASES: [Case; 6] = [
    ("a hello of axum", |rounds| run(router(), 0, rounds)),
    ("with CtxLayer, nobody listening", |rounds| run(router().layer(CtxLayer::mesh()), 0, rounds)),
    ("with CtxLayer, its hops recorded", ours),
    ("the same, not sampled", not_sampled),
    ("with CtxLayer, by way of tracing", by_tracing),
    ("with axum-tracing-opentelemetry", theirs),
];

/// Of what they add to the hello.
const GOAL: f64 = 1.0 / 3.0;
/// What is reached of that, and must not be lost.
const HOLDS: f64 = 0.5;

/// Counts spans, and drops them.
#[derive(Debug)]
struct Counts;

static SPANS: AtomicU64 = AtomicU64::new(0);

impl SpanProcessor for Counts {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        SPANS.fetch_add(1, Ordering::Relaxed);
        drop(black_box(span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn router() -> Router {
    Router::new().route("/hello/{name}", get(|| async { "hello" }))
}

fn provider(sampler: Sampler) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_id_generator(CtxIds::new())
        .with_sampler(sampler)
        .with_span_processor(Counts)
        .build()
}

fn ours(rounds: u64) {
    let provider = provider(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
    assert!(ctxprop_otel::record_hops(provider.tracer("bench")), "nobody else records");
    run(router().layer(CtxLayer::mesh()), 1, rounds);
}

fn not_sampled(rounds: u64) {
    let provider = provider(Sampler::AlwaysOff);
    assert!(ctxprop_otel::record_hops(provider.tracer("bench")), "nobody else records");
    run(router().layer(CtxLayer::mesh()), 0, rounds);
}

fn by_tracing(rounds: u64) {
    let provider = provider(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
    // Their spans have no events, so ours have none.
    let layer = ctxprop_otel::layer(provider.tracer("bench"))
        .with_filter(FilterFn::new(|it: &Metadata<'_>| it.is_span()));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
        .expect("nobody else listens");
    run(router().layer(CtxLayer::mesh()), 1, rounds);
}

fn theirs(rounds: u64) {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = SdkTracerProvider::builder().with_span_processor(Counts).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
        .expect("nobody else listens");
    run(router().layer(OtelAxumLayer::default()), 1, rounds);
}

fn run(app: Router, spans: u64, rounds: u64) {
    // As servers do before they serve: else the router makes its routes, and each of their layers, anew for each request.
    let app: Router = app.with_state(());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        for _ in 0..rounds {
            let request = Request::get("/hello/ada")
                .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
                .body(Body::empty())
                .expect("a valid request");
            let response = app.clone().oneshot(request).await;
            let Ok(response) = response;
            drop(black_box(response));
        }
    });
    assert_eq!(SPANS.load(Ordering::Relaxed), spans * rounds, "each request has its span");
}

fn main() -> ExitCode {
    if ran_as_child(&CASES) {
        return ExitCode::SUCCESS;
    }
    let mut counts = Vec::new();
    for case in CASES {
        match instructions(case, ROUNDS) {
            Ok(count) => counts.push(count),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let hello = counts[0];
    println!("instructions of a request, and what is added to the first");
    for ((name, _), count) in CASES.iter().zip(&counts) {
        println!("{name:<40} {count:>9.0} {:>+9.0}", count - hello);
    }
    let share = (counts[2] - hello) / (counts[5] - hello);
    println!("ours is {share:.2} of theirs (goal: {GOAL:.2})");
    if share > HOLDS {
        eprintln!("more than the {HOLDS} that was reached");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
