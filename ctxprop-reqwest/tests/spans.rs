//! The `tracing` span of a hop: whose it is, and what it does not tell.
#![allow(clippy::expect_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;
#[path = "../../ctxprop-axum/tests/support/nobody.rs"]
mod nobody;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::Server;
use ctxprop::{Background, Ctx};
use nobody::Nobody;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the fields of the spans named `send`, in the order they come.
#[derive(Clone, Default)]
struct Sends(Arc<Mutex<String>>);

impl Visit for &Sends {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = self.0.lock().expect("no panic");
        text.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Sends {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ctxprop" && metadata.name() == "send"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut &*self);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut &*self);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_hop_is_a_span_with_the_ids_that_the_server_sees_and_without_the_query() {
    let mut server = Server::ok().await;
    let client = server.client().build().unwrap();
    let sends = Sends::default();
    Nobody::listens();
    let _listens = tracing::subscriber::set_default(sends.clone());
    let ctx = Ctx::background().child_span();
    client.get(server.url("/orders?token=secret")).send().with(&ctx).await.unwrap();

    let (trace_id, span_id) = server.next().await.trace();
    let parent_id = ctx.span().span_id();
    let told = sends.0.lock().unwrap();
    for field in [
        "method=GET".to_owned(),
        "path=\"/orders\"".to_owned(),
        format!("trace_id={trace_id}"),
        format!("span_id={span_id}"),
        format!("parent_id={parent_id}"),
        "status=200".to_owned(),
    ] {
        assert!(told.contains(&field), "{field} is not in {told}");
    }
    assert!(!told.contains("secret"), "{told}");
}

#[tokio::test]
async fn the_hops_of_a_trace_that_begins_here_have_no_parent() {
    let mut server = Server::ok().await;
    let client = server.client().build().unwrap();
    let sends = Sends::default();
    let _listens = tracing::subscriber::set_default(sends.clone());
    client.get(server.url("/orders")).send().with(&Ctx::background()).await.unwrap();
    let (trace_id, span_id) = server.next().await.trace();
    let told = sends.0.lock().unwrap();
    assert!(told.contains(&format!("trace_id={trace_id} span_id={span_id}")), "{told}");
    assert!(!told.contains("parent_id"), "nobody has that span: {told}");
}
