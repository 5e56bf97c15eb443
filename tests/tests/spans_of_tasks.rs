//! In which `tracing` span a task runs (`docs/semantics.md`, 3.3.11). A process of its own: its subscriber is that of all
//! threads.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ctxprop::{Background, Ctx};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

thread_local!(static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) });

static SEEN: Mutex<Vec<Option<u64>>> = Mutex::new(Vec::new());

/// What the one kind of span here is.
static KIND: Mutex<Option<&'static Metadata<'static>>> = Mutex::new(None);

/// Notes for each event the innermost span that was entered on its thread. The first span is number 1.
struct Spans(AtomicU64);

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "spans_of_tasks" {
            SEEN.lock().unwrap().push(ENTERED.with_borrow(|all| all.last().copied()));
        }
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        *KIND.lock().unwrap() = Some(span.metadata());
        Id::from_u64(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|all| all.push(id.into_u64()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(|all| {
            let _left = all.pop();
        });
    }

    fn current_span(&self) -> Current {
        let innermost = ENTERED.with_borrow(|all| all.last().copied());
        match (innermost, *KIND.lock().unwrap()) {
            (Some(id), Some(kind)) => Current::new(Id::from_u64(id), kind),
            _ => Current::none(),
        }
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

fn notes() {
    tracing::info!("in the task");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_3_3_11_each_kind_of_task_runs_in_the_span_in_which_it_was_spawned() {
    tracing::subscriber::set_global_default(Spans(AtomicU64::new(0))).unwrap();
    let (ctx, _canceller) = Ctx::background().with_cancel();
    notes();
    let span = tracing::info_span!("request");
    let (attached, detached, blocking, mut set) = span.in_scope(|| {
        let mut set = ctx.task_set();
        set.spawn(async { notes() });
        (
            ctx.spawn(async {
                tokio::task::yield_now().await;
                notes();
            }),
            ctx.detach("a test").spawn(async { notes() }),
            ctx.spawn_blocking(|_| notes()),
            set,
        )
    });
    drop(span.in_scope(|| ctx.defer(std::time::Duration::from_secs(9), async { notes() })));
    attached.await.unwrap();
    detached.await.unwrap();
    blocking.await.unwrap();
    assert_eq!(set.join_next().await, Some(Ok(())));
    ctx.idle().await;
    let seen = SEEN.lock().unwrap().clone();
    assert_eq!(seen, [&[None][..], &[Some(1); 5]].concat());
}
