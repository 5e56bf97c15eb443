//! Collects the spans that ctxprop opens through `tracing`, for the waterfall. An application would export them;
//! here they stay in the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::house;
use crate::recording::{Recording, Seen, What};

/// One span as it was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// `request` in a server, `send` in a client.
    pub(crate) name: &'static str,
    pub(crate) fields: HashMap<&'static str, String>,
    pub(crate) began: Instant,
    pub(crate) ended: Option<Instant>,
    /// In whose code it is.
    service: &'static str,
}

impl Span {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn seen(&self) -> Seen {
        Seen {
            name: self.name,
            service: self.service,
            span_id: self.field("span_id").to_owned(),
            parent_id: self.field("parent_id").to_owned(),
            fields: self.fields.iter().map(|(name, value)| (*name, value.clone())).collect(),
        }
    }
}

/// All spans of ctxprop in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    recorded: Arc<Mutex<Recorded>>,
    recording: Option<Recording>,
}

#[derive(Debug, Default)]
struct Recorded {
    /// By the number that the registry gave them, which it gives again once they have ended.
    open: HashMap<u64, Span>,
    ended: Vec<Span>,
}

impl Spans {
    /// Starts to collect, and to tell the recording of it.
    pub(crate) fn install(recording: Option<Recording>) -> Spans {
        let spans = Spans { recording, ..Spans::default() };
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        if tracing::subscriber::set_global_default(subscriber).is_err() {
            eprintln!("somebody else listens to tracing: there will be no waterfall");
        }
        spans
    }

    /// The spans of one trace, the first first.
    pub(crate) fn of_trace(&self, trace_id: &str) -> Vec<Span> {
        let all = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let of_trace = |span: &&Span| span.field("trace_id") == trace_id;
        let mut spans: Vec<_> =
            all.ended.iter().chain(all.open.values()).filter(of_trace).cloned().collect();
        spans.sort_by_key(|span| span.began);
        spans
    }

    /// Forgets those that have ended: a page that is open for days would keep them all.
    pub(crate) fn forget(&self) {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).ended.clear();
    }

    fn tell(&self, what: impl FnOnce() -> What) {
        if let Some(recording) = &self.recording {
            recording.push(what());
        }
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        // What `House::watched` puts around each service tells whose code everything in it is.
        if metadata.target() == house::TARGET {
            if let (Some(span), Some(service)) = (context.span(id), fields.0.get("service")) {
                span.extensions_mut().insert(Service(house::name_of(service)));
            }
            return;
        }
        if metadata.target() != "ctxprop" {
            return;
        }
        let span = Span {
            name: metadata.name(),
            fields: fields.0,
            began: Instant::now(),
            ended: None,
            service: service(context.span_scope(id)),
        };
        self.tell(|| What::Opened { span: span.seen() });
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.open.insert(id.into_u64(), span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(span) = recorded.open.get_mut(&id.into_u64()) {
            let mut fields = Fields::default();
            values.record(&mut fields);
            span.fields.extend(fields.0);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "ctxprop::wire" {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut take = |name| fields.0.remove(name).unwrap_or_default();
        let (header, reason) = (take("header"), take("reason"));
        self.tell(|| What::Dropped {
            service: service(context.event_scope(event)),
            header,
            reason,
        });
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(span) = recorded.open.remove(&id.into_u64()) else { return };
        let span = Span { ended: Some(Instant::now()), ..span };
        self.tell(|| What::Closed { span: span.seen() });
        recorded.ended.push(span);
    }
}

/// Whose code a span is in.
struct Service(&'static str);

fn service<'a, S: LookupSpan<'a>>(
    scope: Option<tracing_subscriber::registry::Scope<'a, S>>,
) -> &'static str {
    let mut around = scope.into_iter().flatten();
    let service = around.find_map(|span| span.extensions().get().map(|Service(name)| *name));
    service.unwrap_or("client")
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
