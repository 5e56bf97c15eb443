//! A span as it is compared: all that is exported of it, with what is random in a name of its own.

use std::collections::BTreeMap;
use std::future::Future;

use ctxprop::Ctx;
use ctxprop_otel::opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use super::common::{Exported, Way, sampler, span_id, trace_id};

/// All of a hop's span but its times, its ids, and the ports.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    name: String,
    kind: SpanKind,
    /// Whose child it is: that of another hop, the caller's, that of the context.
    parent: String,
    parent_is_remote: bool,
    is_of_the_trace: bool,
    is_remote: bool,
    flags: u8,
    state: String,
    attributes: BTreeMap<String, String>,
    status: Status,
    links: usize,
    dropped: u32,
    scope: String,
    /// The names of its events, where `tracing` is listened to.
    pub(crate) events: Vec<String>,
}

impl Row {
    fn of(span: &SpanData, all: &[SpanData], ctx: &Ctx) -> Row {
        assert!(span.start_time <= span.end_time);
        let parent = all.iter().find(|other| span_id(other) == span.parent_span_id);
        let parent = match parent {
            Some(parent) => format!("{:?} {}", parent.span_kind, parent.name),
            None if span.parent_span_id.to_string() == ctx.span().span_id().to_string() => {
                "the context's".to_owned()
            }
            None => span.parent_span_id.to_string(),
        };
        let attributes = span.attributes.iter().map(|attribute| {
            let value = match attribute.key.as_str() {
                // To the second: when it was read is different each time.
                "ctxprop.budget_ms" => {
                    let left: u64 = attribute.value.to_string().parse().unwrap();
                    ((left + 500) / 1_000).to_string()
                }
                _ => attribute.value.to_string(),
            };
            (attribute.key.to_string(), value)
        });
        let attributes: BTreeMap<_, _> = attributes.collect();
        assert_eq!(attributes.len(), span.attributes.len(), "each once: {span:?}");
        Row {
            name: span.name.to_string(),
            kind: span.span_kind.clone(),
            parent,
            parent_is_remote: span.parent_span_is_remote,
            is_of_the_trace: trace_id(span).to_string() == ctx.span().trace_id().to_string(),
            is_remote: span.span_context.is_remote(),
            flags: span.span_context.trace_flags().to_u8(),
            state: span.span_context.trace_state().header(),
            attributes,
            status: span.status.clone(),
            links: span.links.len(),
            dropped: span.dropped_attributes_count,
            scope: span.instrumentation_scope.name().to_owned(),
            events: span.events.iter().map(|event| event.name.to_string()).collect(),
        }
    }
}

/// What `scenario` exports of its hops, of which there are `count`, by each way: the same by all, and once.
pub(crate) async fn same_by_all_ways<F: Future<Output = Ctx>>(
    what: &str,
    count: usize,
    mut scenario: impl FnMut() -> F,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for way in [Way::Tracing, Way::Both, Way::Direct, Way::Apart] {
        let exported = Exported::by(way, sampler());
        let ctx = scenario().await;
        let hops = |exported: &Exported| {
            let is_hop = |span: &SpanData| span.span_kind != SpanKind::Internal;
            exported.spans().into_iter().filter(is_hop).collect::<Vec<_>>()
        };
        let ended = async {
            while hops(&exported).len() < count {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await;
        let spans = hops(&exported);
        assert!(ended.is_ok() && spans.len() == count, "{what} {way:?}: {spans:#?}");
        let mut found: Vec<_> = spans.iter().map(|span| Row::of(span, &spans, &ctx)).collect();
        found.sort_by_key(|row| format!("{:?} {} {}", row.kind, row.name, row.parent));
        rows.push(found);
    }
    let [by_tracing, both, directly, apart] = <[_; 4]>::try_from(rows).unwrap();
    assert_eq!(both, by_tracing, "{what}, with both");
    for mut rows in [directly, apart] {
        for (one, other) in rows.iter_mut().zip(&by_tracing) {
            assert!(one.events.is_empty(), "{what}: nobody listens to events");
            one.events.clone_from(&other.events);
        }
        assert_eq!(rows, by_tracing, "{what}, directly");
    }
    both
}

impl Row {
    #[track_caller]
    pub(crate) fn is(&self, key: &str, value: &str) {
        assert_eq!(self.attributes.get(key).map(String::as_str), Some(value), "{self:#?}");
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(self.status, Status::Error { .. })
    }

    pub(crate) fn parent(&self) -> &str {
        &self.parent
    }

    pub(crate) fn state(&self) -> &str {
        &self.state
    }
}
