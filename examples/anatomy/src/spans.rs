//! Collects the spans that ctxprop opens through `tracing`, for the waterfall. An application would export them;
//! here they stay in the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// One span as it was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// `request` in a server, `send` in a client.
    pub(crate) name: &'static str,
    pub(crate) fields: HashMap<&'static str, String>,
    pub(crate) began: Instant,
    pub(crate) ended: Option<Instant>,
}

impl Span {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// All spans of ctxprop in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    /// By the number that the registry gave them, which it gives again once they have ended.
    open: HashMap<u64, Span>,
    ended: Vec<Span>,
}

impl Spans {
    /// Starts to collect.
    pub(crate) fn install() -> Spans {
        let spans = Spans::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        if tracing::subscriber::set_global_default(subscriber).is_err() {
            eprintln!("somebody else listens to tracing: there will be no waterfall");
        }
        spans
    }

    /// The spans of one trace, the first first.
    pub(crate) fn of_trace(&self, trace_id: &str) -> Vec<Span> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_trace = |span: &&Span| span.field("trace_id") == trace_id;
        let mut spans: Vec<_> =
            all.ended.iter().chain(all.open.values()).filter(of_trace).cloned().collect();
        spans.sort_by_key(|span| span.began);
        spans
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().target() != "ctxprop" {
            return;
        }
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = Span {
            name: attributes.metadata().name(),
            fields: fields.0,
            began: Instant::now(),
            ended: None,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).open.insert(id.into_u64(), span);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(span) = spans.open.remove(&id.into_u64()) {
            spans.ended.push(Span { ended: Some(Instant::now()), ..span });
        }
    }
}

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
