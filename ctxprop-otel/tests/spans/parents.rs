//! What a span is below that is not ctxprop's own: across tasks, traces, and OpenTelemetry's own interface.

use ctxprop::{Background, Ctx, SpanContext};
use ctxprop_otel::opentelemetry::trace::{Span, TraceContextExt, Tracer, TracerProvider};
use ctxprop_otel::opentelemetry::{Context, KeyValue};
use ctxprop_otel::{CtxExt, carried};

use super::common::{Exported, serve, span_id, trace_id};
use super::hops::{app, client, hop};

#[tracing::instrument]
async fn in_a_task() {}

#[tokio::test]
async fn a_task_that_carries_the_context_is_below_the_span_it_was_spawned_in() {
    let exported = Exported::here();
    let ctx = Ctx::background().child_span();
    let spawned = tracing::info_span!("spawns").in_scope(|| {
        // Without a context of ctxprop's the span is of a trace of its own.
        tokio::spawn(carried(in_a_task()))
    });
    spawned.await.unwrap();
    assert_eq!(exported.span("in_a_task").parent_span_id, span_id(&exported.span("spawns")));

    let count = exported.spans().len();
    let in_scope = ctx.sync_scope(|| {
        tracing::info_span!("spawns too")
            .in_scope(|| (ctx.spawn(carried(in_a_task())), ctx.spawn(in_a_task())))
    });
    in_scope.0.await.unwrap();
    in_scope.1.await.unwrap();
    let spans = exported.spans();
    let parents: Vec<_> = spans[count..]
        .iter()
        .filter(|span| span.name == "in_a_task")
        .map(|span| (trace_id(span).to_string(), span.parent_span_id.to_string()))
        .collect();
    let trace = ctx.span().trace_id().to_string();
    let carried = span_id(&exported.span("spawns too")).to_string();
    assert!(parents.contains(&(trace.clone(), carried)), "{parents:?}");
    // Without it, the trace is right all the same.
    assert!(parents.iter().all(|(of, _)| *of == trace), "{parents:?}");
}

#[tokio::test]
async fn a_span_of_another_trace_does_not_take_a_request_over() {
    let exported = Exported::here();
    let ctx = Ctx::background().child_span();
    let connection = tracing::info_span!("connection");
    connection.in_scope(|| {
        ctx.sync_scope(|| tracing::info_span!("inside").in_scope(|| ()));
    });
    drop(connection);
    let (inside, connection) = (exported.span("inside"), exported.span("connection"));
    assert_eq!(trace_id(&inside).to_string(), ctx.span().trace_id().to_string());
    assert_eq!(inside.parent_span_id.to_string(), ctx.span().span_id().to_string());
    let link = &inside.links.links[0].span_context;
    assert_eq!(link.span_id(), span_id(&connection), "what enclosed it is linked");
    // What was extracted from a message, and set on purpose, stays.
    let remote = SpanContext::root().with_remote(true);
    let cx = Context::new().with_remote_span_context(ctxprop_otel::to_span_context(&remote));
    let _current = cx.attach();
    ctx.sync_scope(|| tracing::info_span!("consumed").in_scope(|| ()));
    assert_eq!(exported.span("consumed").parent_span_id.to_string(), remote.span_id().to_string());
}

#[tokio::test]
async fn spans_of_opentelemetrys_own_interface_are_parents_too() {
    let exported = Exported::here();
    let last = hop(None);
    let url = format!("{}/visits/2", serve(app(&last)).await);
    let ctx = Ctx::background().child_span();
    let tracer = exported.provider().tracer("by hand");
    let span = tracer.start_with_context("by hand", &ctx.otel_context());
    let by_hand = span.span_context().clone();
    let cx = ctx.otel_context().with_span(span);
    let client = client();
    let send = {
        let _current = cx.clone().attach();
        carried(client.get(&url).send().with(&ctx))
    };
    send.await.unwrap();
    cx.span().set_attribute(KeyValue::new("a", 1));
    cx.span().end();
    exported.until(3).await;
    let span = exported.span("by hand");
    assert_eq!(span.parent_span_id.to_string(), ctx.span().span_id().to_string());
    assert_eq!(exported.span("GET").parent_span_id, by_hand.span_id());
    assert!(last.came.lock().unwrap()[0].contains(&span_id(&exported.span("GET")).to_string()));
}
