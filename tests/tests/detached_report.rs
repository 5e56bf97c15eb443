//! The run-time guard of the rule `detached-context` (design, 6.4): a root in the middle of a request, made by a helper
//! that no macro sees, is counted each time and reported once per place. A process of its own: both are global.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use ctxprop::{Background, Ctx, detached, propagate};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the events of ctxprop, each with its level and fields.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<(Level, String)>>>);

impl Events {
    fn take(&self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ctxprop"
    }

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0.push_str(&format!("{field}={value:?} "));
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push((*event.metadata().level(), text.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Where the two roots below are made.
const PLACES: [u32; 2] = [line!() + 4, line!() + 8];

/// What no macro looks into.
fn helper() -> Ctx {
    Ctx::background()
}

fn another() -> Ctx {
    Ctx::todo()
}

#[propagate]
async fn request() -> [Ctx; 3] {
    [helper(), helper(), another()]
}

#[test]
fn a_root_inside_a_scope_is_counted_and_reported_once_per_place() {
    let events = Events::default();
    tracing::subscriber::set_global_default(events.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    // Outside of any scope a root is what it should be.
    let root = helper();
    assert_eq!((detached::count(), events.take()), (0, vec![]));

    let made = runtime.block_on(request().with(&root));
    assert_eq!(detached::count(), 3);
    let reported = events.take();
    assert_eq!(reported.len(), 2, "{reported:?}");
    for ((level, text), line) in reported.iter().zip(PLACES) {
        assert_eq!(*level, Level::WARN);
        assert!(text.contains(&format!("place=tests/tests/detached_report.rs:{line}:")), "{text}");
        assert!(text.contains("derive from `Ctx::current()`"), "{text}");
    }
    assert!(made.iter().all(|ctx| !ctx.is_done()));

    // The same places again: counted, and not reported.
    runtime.block_on(request().with(&root));
    runtime.block_on(root.scope(async { drop(helper()) }));
    assert_eq!((detached::count(), events.take()), (7, vec![]));

    // In a task of its own, and in what is detached, too; after the scope no more.
    runtime.block_on(async {
        root.spawn(async { drop(helper()) }).await.unwrap();
        root.detach("why").scope(async { drop(another()) }).await;
        drop(helper());
    });
    assert_eq!((detached::count(), events.take()), (9, vec![]));
}
