//! What the tests share: a subscriber that exports into memory, real servers, and a client.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, of which each takes some"
)]

#[path = "direct.rs"]
mod direct;
#[path = "../../../ctxprop-axum/tests/support/nobody.rs"]
mod nobody;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use axum::Router;
use ctxprop_otel::CtxIds;
use ctxprop_otel::opentelemetry::trace::{SpanId, TraceId, TracerProvider};
pub(crate) use nobody::Nobody;
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracerProvider, ShouldSample, SpanData,
};
use tokio::net::TcpListener;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What this thread exports and logs, until it is dropped.
pub(crate) struct Exported {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
    pub(crate) logged: Logged,
    _default: DefaultGuard,
}

/// How the spans of hops are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Of those of `tracing`, as all others.
    Tracing,
    /// Directly, and no others.
    Direct,
    /// Directly, and the others of those of `tracing`.
    Both,
    /// The same, by a layer that does not see those of hops.
    Apart,
}

pub(crate) fn sampler() -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::AlwaysOn))
}

impl Exported {
    /// By the way of all tests of this program.
    pub(crate) fn here() -> Exported {
        Exported::sampled_by(sampler())
    }

    pub(crate) fn sampled_by(sampler: Sampler) -> Exported {
        Exported::by(crate::WAY, sampler)
    }

    pub(crate) fn by(way: Way, sampler: impl ShouldSample + 'static) -> Exported {
        Nobody::listens();
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_id_generator(CtxIds::new())
            .with_sampler(sampler)
            .with_simple_exporter(exporter.clone())
            .build();
        let tracer = provider.tracer("test");
        direct::record((way != Way::Tracing).then(|| tracer.clone()));
        let logged = Logged::default();
        // HTTP/2 has spans of its own below that level.
        let seen = filter_fn(move |it| {
            *it.level() <= LevelFilter::INFO && (way != Way::Apart || it.target() != "ctxprop")
        });
        let layer = ctxprop_otel::layer(tracer).with_filter(seen);
        let subscriber = tracing_subscriber::registry()
            .with(logged.clone())
            .with((way != Way::Direct).then_some(layer));
        let _default = tracing::subscriber::set_default(subscriber);
        Exported { exporter, provider, logged, _default }
    }

    pub(crate) fn provider(&self) -> &SdkTracerProvider {
        &self.provider
    }

    /// All spans that have ended, in that order.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().unwrap()
    }

    /// Waits until so many spans have ended: a server's ends once hyper has dropped the body, which may be after the
    /// client has read it.
    pub(crate) async fn until(&self, count: usize) {
        let ended = async {
            while self.spans().len() < count {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.is_err() {
            panic!("not {count} spans ended: {:#?}", self.spans());
        }
    }

    /// The only span of this name.
    #[track_caller]
    pub(crate) fn span(&self, name: &str) -> SpanData {
        let spans = self.spans();
        let mut named = spans.iter().filter(|span| span.name == name);
        match (named.next(), named.next()) {
            (Some(span), None) => span.clone(),
            (found, _) => panic!(
                "{} spans `{name}` among {:?}",
                if found.is_some() { "several" } else { "no" },
                spans.iter().map(|span| &span.name).collect::<Vec<_>>()
            ),
        }
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        direct::record(None);
    }
}

/// The value of an attribute as text; none where there is none.
#[track_caller]
pub(crate) fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let mut values = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key);
    let value = values.next()?;
    assert!(values.next().is_none(), "`{key}` is there twice in {span:?}");
    Some(value.value.to_string())
}

pub(crate) fn keys(span: &SpanData) -> Vec<&str> {
    let mut keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    keys.sort_unstable();
    keys
}

pub(crate) fn trace_id(span: &SpanData) -> TraceId {
    span.span_context.trace_id()
}

pub(crate) fn span_id(span: &SpanData) -> SpanId {
    span.span_context.span_id()
}

/// The fields of all spans that `tracing` has seen, as a log would show them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<(String, Said)>>>);

type Said = HashMap<&'static str, String>;

impl Logged {
    /// The fields of the spans with this name.
    pub(crate) fn named(&self, name: &str) -> Vec<Said> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|(of, _)| of == name).map(|(_, fields)| fields.clone()).collect()
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Logged {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let name = attributes.metadata().name().to_owned();
        self.0.lock().unwrap().push((name, fields.0));
    }
}

#[derive(Default)]
struct Fields(Said);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Serves `app` on loopback, and gives where.
pub(crate) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}
