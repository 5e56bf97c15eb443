//! `span` and `fields(..)`: what a subscriber sees.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use ctxprop::{Ctx, propagate};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{ctx, marked};

/// Notes each span that is opened, and which of them is entered when something is said.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    spans: Vec<(&'static str, BTreeMap<&'static str, String>)>,
    entered: Vec<u64>,
    said: Vec<(String, Vec<&'static str>)>,
    closed: usize,
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Notes {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().contains("spans")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = BTreeMap::new();
        span.record(&mut Fields(&mut fields));
        let mut seen = self.seen();
        seen.spans.push((span.metadata().name(), fields));
        Id::from_u64(seen.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let mut seen = self.seen();
        let within = seen.entered.iter().map(|id| seen.spans[*id as usize - 1].0).collect();
        seen.said.push((fields.remove("message").unwrap_or_default(), within));
    }

    fn enter(&self, id: &Id) {
        self.seen().entered.push(id.into_u64());
    }

    fn exit(&self, id: &Id) {
        assert_eq!(self.seen().entered.pop(), Some(id.into_u64()));
    }

    fn try_close(&self, _: Id) -> bool {
        self.seen().closed += 1;
        true
    }
}

struct SaysWhenDropped;

impl Drop for SaysWhenDropped {
    fn drop(&mut self) {
        tracing::info!("dropped");
    }
}

#[propagate(span, fields(n, twice = n * 2, text = %text, pair.one = ?one, literal = "l"))]
async fn outer(n: u32, text: &str, (one, _): (u32, u32), _dropped: SaysWhenDropped) -> u32 {
    tracing::info!("before");
    marked().await;
    tracing::info!("between");
    let inner = inner(&Ctx::current(), n).await;
    tracing::info!("after");
    inner
}

#[propagate(span = "a name of its own", budget = "1h")]
async fn inner(ctx: &Ctx, n: u32) -> u32 {
    assert_eq!(ctx.span().span_id(), Ctx::current().span().span_id());
    assert!(ctx.remaining().is_some());
    tracing::info!("inside {}", ctx.span().span_id());
    marked().await;
    n
}

#[propagate(span)]
async fn waits(_dropped: SaysWhenDropped) {
    std::future::pending().await
}

#[propagate(span)]
async fn panics() {
    marked().await;
    panic!("inside")
}

#[tokio::test]
async fn a_body_runs_in_its_span() {
    let notes = Notes::default();
    let _default = tracing::subscriber::set_default(notes.clone());
    let ctx = ctx().child_span();
    assert_eq!(outer(3, "text", (4, 5), SaysWhenDropped).with(&ctx).await, 3);
    tracing::info!("outside");
    let seen = notes.seen();
    let [(first, fields), (second, inner)] = &seen.spans[..] else { panic!("two spans") };
    assert_eq!((*first, *second), ("outer", "a name of its own"));
    let of = |name| fields.get(name).map(String::as_str);
    assert_eq!(of("n"), Some("3"));
    assert_eq!(of("twice"), Some("6"));
    assert_eq!(of("text"), Some("text"));
    assert_eq!(of("pair.one"), Some("4"));
    assert_eq!(of("literal"), Some("\"l\""));
    assert_eq!(of("trace_id"), Some(&*ctx.span().trace_id().to_string()));
    assert_eq!(fields.get("trace_id"), inner.get("trace_id"));
    let (outer_id, inner_id) = (&fields["span_id"], &inner["span_id"]);
    assert_ne!(*outer_id, ctx.span().span_id().to_string(), "a child span");
    assert_ne!(outer_id, inner_id, "a child of the child");
    assert_eq!(of("parent_id"), Some(&*ctx.span().span_id().to_string()));
    assert_eq!(&inner["parent_id"], outer_id);
    let said: Vec<_> = seen.said.iter().map(|(text, within)| (&**text, &within[..])).collect();
    let both: &[_] = &["outer", "a name of its own"];
    assert_eq!(
        said,
        [
            ("before", &["outer"][..]),
            ("between", &["outer"]),
            (&*format!("inside {inner_id}"), both),
            ("after", &["outer"]),
            ("dropped", &["outer"]),
            ("outside", &[]),
        ]
    );
}

#[tokio::test]
async fn what_is_dropped_drops_in_its_span_and_a_panic_leaves_it() {
    let notes = Notes::default();
    let _default = tracing::subscriber::set_default(notes.clone());
    {
        let mut call = std::pin::pin!(waits(SaysWhenDropped).with(&ctx()));
        assert!(futures::poll!(call.as_mut()).is_pending());
    }
    let caught = std::panic::AssertUnwindSafe(panics().with(&ctx()));
    assert!(futures::FutureExt::catch_unwind(caught).await.is_err());
    let seen = notes.seen();
    assert_eq!(seen.said, [("dropped".to_owned(), vec!["waits"])]);
    assert!(seen.entered.is_empty());
    assert_eq!(seen.closed, 2);
}

/// Without a subscriber there is a child span all the same: it goes out with a hop.
#[tokio::test]
async fn a_span_is_a_child_in_the_context() {
    #[propagate(span)]
    async fn id() -> ctxprop::SpanId {
        Ctx::current().span().span_id()
    }
    let ctx = ctx().child_span();
    let one = id().with(&ctx).await;
    assert_ne!(one, ctx.span().span_id());
    assert_ne!(one, id().with(&ctx).await);
}
