//! What happened, in order: for the page, which draws it while it happens, and for the trace file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::watch;

use crate::story::Event;

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Moment {
    /// Milliseconds since the recording began.
    pub(crate) at_ms: f64,
    #[serde(flatten)]
    pub(crate) what: What,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum What {
    /// Something that the story tells, or would tell at greater length.
    Told { told: Event },
    /// A span of ctxprop began.
    Opened { span: Seen },
    /// It ended.
    Closed { span: Seen },
    /// ctxprop left a header out that it could not read.
    Dropped { service: &'static str, header: String, reason: String },
    /// Nothing more will happen.
    Over,
}

/// A span, as far as it is known.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Seen {
    /// `request` in a server, `send` in a client.
    pub(crate) name: &'static str,
    /// In which service it is; `client` outside of all.
    pub(crate) service: &'static str,
    pub(crate) span_id: String,
    pub(crate) parent_id: String,
    pub(crate) fields: BTreeMap<&'static str, String>,
}

/// All moments of one run.
#[derive(Clone, Debug)]
pub(crate) struct Recording(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    run: Mutex<Run>,
    /// How many moments there have been, over all runs: whoever draws them waits for the next.
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Run {
    number: u64,
    began: Instant,
    moments: Vec<Moment>,
}

impl Recording {
    pub(crate) fn new() -> Recording {
        let run = Run { number: 0, began: Instant::now(), moments: Vec::new() };
        Recording(Arc::new(Shared { run: Mutex::new(run), count: watch::Sender::new(0) }))
    }

    /// Forgets what was, and begins anew.
    pub(crate) fn begin(&self) {
        let mut run = self.run();
        *run = Run { number: run.number + 1, began: Instant::now(), moments: Vec::new() };
        drop(run);
        self.0.count.send_modify(|count| *count += 1);
    }

    pub(crate) fn push(&self, what: What) {
        let mut run = self.run();
        // Under the lock, so that the moments are in the order of their times.
        let at_ms = run.began.elapsed().as_secs_f64() * 1_000.0;
        run.moments.push(Moment { at_ms, what });
        drop(run);
        self.0.count.send_modify(|count| *count += 1);
    }

    /// The number of the run, and its moments from the `from`th on.
    pub(crate) fn since(&self, from: usize) -> (u64, Vec<Moment>) {
        let run = self.run();
        (run.number, run.moments.get(from..).unwrap_or_default().to_vec())
    }

    /// Changes with each moment.
    pub(crate) fn watch(&self) -> watch::Receiver<usize> {
        self.0.count.subscribe()
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.0.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
