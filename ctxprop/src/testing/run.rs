//! One run: a runtime of its own, a context, what happens to it, and what is left.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};

use super::ledger::{Ledger, Plan};
use super::report::{Finding, Found};
use super::world::End;
use crate::context::canceller::Canceller;
use crate::ctx::Ctx;
use crate::end::cause::{Cancelled, Cause};
use crate::run::observe::{self, Here};

thread_local! {
    /// Of a thread of a runtime, as long as it lives.
    static OF_THIS_THREAD: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// Builds the runtime, all of whose threads tell `ledger`.
pub(super) fn runtime(builder: &mut Builder, ledger: &Arc<Ledger>) -> Runtime {
    let ledger = Arc::clone(ledger);
    let built = builder
        .enable_all()
        .on_thread_start(move || {
            let here = observe::here(Arc::clone(&ledger) as _);
            OF_THIS_THREAD.with(|kept| kept.replace(Some(here)));
        })
        .build();
    match built {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime for the test: {error}"),
    }
}

/// The context of a run, under a root of its own as a server's request is.
pub(super) struct Request {
    root: Ctx,
    pub(super) ctx: Ctx,
    pub(super) canceller: Canceller,
}

impl Request {
    pub(super) fn new(ledger: &Ledger, budget: Option<Duration>) -> Request {
        let root = Ctx::root();
        ledger.gives(&root);
        let parent = match budget {
            Some(budget) => root.with_timeout(budget),
            None => root.clone(),
        };
        ledger.gives(&parent);
        let (ctx, canceller) = parent.with_cancel();
        ledger.gives(&ctx);
        Request { root, ctx, canceller }
    }

    /// The request is over, as when its response was sent: what is attached to it unwinds. Says whether all tasks of its root
    /// were over in time.
    pub(super) async fn finish(self, patience: Duration) {
        self.canceller.cancel_with(Cause::Finished);
        let Request { root, ctx, canceller } = self;
        drop((ctx, canceller));
        let _ = timeout(patience, root.idle()).await;
    }
}

/// What came of a run.
pub(super) struct Ran<T> {
    /// None where it panicked.
    pub(super) outcome: Option<Result<T, Cancelled>>,
    pub(super) end: Option<End>,
    pub(super) found: Vec<Found>,
    /// Whether the plan came to be.
    pub(super) leaves_reached: bool,
}

pub(super) struct Settings {
    pub(super) patience: Duration,
    pub(super) budget: Option<Duration>,
    pub(super) seed: u64,
}

/// Runs what `make` makes, and ends its context as `plan` says.
pub(super) fn run<T, F: Future<Output = T>>(
    runtime: &Runtime,
    ledger: &Arc<Ledger>,
    settings: &Settings,
    plan: Option<Plan>,
    make: impl FnOnce(Ctx) -> F,
) -> Ran<T> {
    fastrand::seed(settings.seed);
    let untracked_before = runtime.metrics().num_alive_tasks();
    let ended = runtime.block_on(async {
        let request = Request::new(ledger, settings.budget);
        let planned = plan.clone();
        if let Some(plan) = planned {
            ledger.plans(plan, request.canceller.clone());
        }
        let body = request.ctx.run(make(request.ctx.clone()));
        let body = std::pin::pin!(timeout(settings.patience, body));
        let outcome = Caught(body).await;
        let over = Instant::now();
        let reached = plan.is_none() || ledger.fired().is_some();
        ledger.forget_plan();
        (outcome, over, reached, request)
    });
    let (outcome, over, leaves_reached, request) = ended;
    let mut found = Vec::new();
    let outcome = match outcome {
        Ok(Ok(outcome)) => Some(outcome),
        Ok(Err(_)) => {
            let text = format!("it was still running {:?} later", settings.patience);
            found.push(Found::new(Finding::Stuck, text));
            None
        }
        Err(panic) => {
            found.push(Found::new(Finding::Stuck, format!("it panicked: {}", text_of(&*panic))));
            None
        }
    };
    runtime.block_on(async {
        request.finish(settings.patience).await;
        // What knows nothing of its request may end all the same.
        let until = Instant::now() + settings.patience;
        while untracked(runtime, ledger, untracked_before) > 0 && Instant::now() < until {
            sleep(settings.patience / 64).await;
        }
    });
    let fired = ledger.fired();
    let end = fired.zip(plan).map(|(fired, plan)| End {
        place: fired.place,
        awaits: fired.name,
        phase: plan.phase,
        cause: plan.cause,
        unwound_in: over.saturating_duration_since(fired.at),
    });
    let untracked = untracked(runtime, ledger, untracked_before);
    if untracked > 0 {
        let what = match untracked {
            1 => "a task of `tokio::spawn` is".to_owned(),
            many => format!("{many} tasks of `tokio::spawn` are"),
        };
        let text =
            format!("{what} still running, without a context that could end it: `ctx.spawn(..)`");
        found.push(Found::new(Finding::Untracked, text));
    }
    Ran { outcome, end, found, leaves_reached }
}

/// How many tasks there are that no context knows of.
fn untracked(runtime: &Runtime, ledger: &Ledger, before: usize) -> usize {
    runtime.metrics().num_alive_tasks().saturating_sub(before + ledger.left_tasks())
}

/// What somebody panicked with.
pub(super) fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "(no text)",
    }
}

/// A future whose panic is a value.
struct Caught<F>(F);

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = std::thread::Result<F::Output>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let poll = || std::pin::Pin::new(&mut self.0).poll(cx);
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    }
}
