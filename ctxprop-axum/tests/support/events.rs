//! What this thread reports to `tracing`: events and the fields of spans, to be looked at.
#![allow(dead_code, reason = "each suite uses its part")]

#[path = "nobody.rs"]
mod nobody;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nobody::Nobody;
use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// An event or a span.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) level: Level,
    /// Of an event its message, of a span its name.
    pub(crate) what: String,
    pub(crate) fields: BTreeMap<&'static str, String>,
}

impl Told {
    /// A field, without the quotes of text.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.trim_matches('"'))
    }
}

#[derive(Clone, Default)]
pub(crate) struct Events {
    events: Arc<Mutex<Vec<Told>>>,
    spans: Arc<Mutex<BTreeMap<u64, Told>>>,
    next: Arc<AtomicU64>,
    came: Arc<Notify>,
}

impl Events {
    /// Listens to this thread from here on.
    pub(crate) fn listen() -> (Events, tracing::subscriber::DefaultGuard) {
        Nobody::listens();
        let events = Events::default();
        let guard = tracing::subscriber::set_default(events.clone());
        (events, guard)
    }

    /// Waits for the next event and takes it.
    pub(crate) async fn next(&self) -> Told {
        loop {
            let came = self.came.notified();
            if let Some(told) = self.take() {
                return told;
            }
            came.await;
        }
    }

    fn take(&self) -> Option<Told> {
        let mut events = self.events.lock().expect("no panic");
        (!events.is_empty()).then(|| events.remove(0))
    }

    pub(crate) fn are_none(&self) -> bool {
        self.events.lock().expect("no panic").is_empty()
    }

    pub(crate) fn spans(&self) -> Vec<Told> {
        self.spans.lock().expect("no panic").values().cloned().collect()
    }
}

struct Fields<'a>(&'a mut Told);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.0.what = text,
            name => drop(self.0.fields.insert(name, text)),
        }
    }
}

fn told(metadata: &Metadata<'_>) -> Told {
    let what = metadata.name().to_owned();
    Told { level: *metadata.level(), what, fields: BTreeMap::new() }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ctxprop") && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut span = told(attributes.metadata());
        attributes.record(&mut Fields(&mut span));
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        self.spans.lock().expect("no panic").insert(id, span);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        if let Some(span) = self.spans.lock().expect("no panic").get_mut(&id.into_u64()) {
            values.record(&mut Fields(span));
        }
    }

    fn event(&self, event: &Event<'_>) {
        let mut told = told(event.metadata());
        event.record(&mut Fields(&mut told));
        self.events.lock().expect("no panic").push(told);
        self.came.notify_one();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
