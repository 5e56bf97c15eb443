//! What `#[ctxprop::test]` becomes: a runtime, a context, the body, and a look at what is left.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;

use super::ledger::Ledger;
use super::report::Found;
use super::run::{self, Request};
use crate::ctx::Ctx;
use crate::needs_ctx::Awaitable;

/// So long what is left may take to unwind: by a paused clock that is no time, else it is time that a broken test takes.
const PAUSED: Duration = Duration::from_secs(3_600);
const RUNNING: Duration = Duration::from_secs(10);

/// The runtimes of tokio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "only generated code names them")]
pub enum Flavor {
    CurrentThread,
    MultiThread,
}

/// How a test is run.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "only generated code makes one")]
pub struct Harness {
    pub flavor: Flavor,
    pub worker_threads: Option<usize>,
    pub start_paused: bool,
}

impl Harness {
    /// Runs a test.
    ///
    /// # Panics
    ///
    /// With the body, and where something of it is left.
    #[track_caller]
    pub fn run<A: Awaitable>(self, body: impl FnOnce(Ctx) -> A) -> A::Output {
        crate::detached::deny();
        let ledger = Arc::new(Ledger::default());
        let here = crate::run::observe::here(Arc::clone(&ledger) as _);
        let mut builder = match self.flavor {
            Flavor::CurrentThread => Builder::new_current_thread(),
            Flavor::MultiThread => Builder::new_multi_thread(),
        };
        if let Some(threads) = self.worker_threads {
            builder.worker_threads(threads);
        }
        if self.start_paused {
            builder.start_paused(true);
        }
        let runtime = run::runtime(&mut builder, &ledger);
        let patience = if self.start_paused { PAUSED } else { RUNNING };
        let output = runtime.block_on(async {
            let request = Request::new(&ledger, None);
            let output = run_under(&request.ctx, body).await;
            request.finish(patience).await;
            output
        });
        let left = ledger.left();
        runtime.shutdown_background();
        drop(here);
        let told: Vec<_> =
            left.iter().map(|alive| format!("\n  - {}", Found::alive(alive).text)).collect();
        assert!(told.is_empty(), "the test is over, and something of it is left:{}", told.concat());
        output
    }
}

/// As a scope: a test decides itself what its end does.
fn run_under<A: Awaitable>(
    ctx: &Ctx,
    body: impl FnOnce(Ctx) -> A,
) -> impl Future<Output = A::Output> {
    ctx.scope(body(ctx.clone()))
}
