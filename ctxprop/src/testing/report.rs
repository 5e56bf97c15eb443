//! What a run is found to have done wrong, and how it is told.

use std::fmt::{self, Write as _};

use super::ledger::{Alive, Gave};
use super::world::End;
use crate::run::observe::{ObservedKind, Outcome};

/// What is looked for in each run without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// A task is still running, though its request is over.
    Task,
    /// A context is still held, or a future that runs under one.
    Context,
    /// A shield was begun, and is neither done nor dropped.
    Shield,
    /// A task of `tokio::spawn` is still running: ctxprop knows nothing of it but that it is there.
    Untracked,
    /// A function was told of the end, went on, and awaited something that did not begin. That is mostly cleanup without a
    /// shield.
    Skipped,
    /// An await gave the end, and what awaits it says that all was done.
    Swallowed,
    /// It was not over long after the end.
    Stuck,
}

/// A finding, told.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) text: String,
}

impl Found {
    pub(super) fn new(finding: Finding, text: impl Into<String>) -> Found {
        Found { finding, text: text.into() }
    }

    /// Something that still lives.
    pub(super) fn alive(alive: &Alive) -> Found {
        let (record, at) = match alive {
            Alive::Context(place) => {
                let text = format!("a context is still held, made at {place}");
                return Found::new(Finding::Context, text);
            }
            Alive::Given => {
                let text = "the context that the run was given is still held: somebody keeps a clone of it";
                return Found::new(Finding::Context, text);
            }
            Alive::Polled(record, at) => (record, at),
        };
        let (finding, what) = match record.kind {
            ObservedKind::Task => (Finding::Task, "a task is still running, spawned"),
            ObservedKind::Blocking => (Finding::Task, "blocking code is still running, spawned"),
            ObservedKind::Shield => (Finding::Shield, "a shield is still active, made"),
            ObservedKind::Deferred => {
                (Finding::Context, "the guard of deferred work is still held, made")
            }
            _ => (Finding::Context, "a future under the context is still held, made"),
        };
        let mut text = format!("{what} at {}: `{}`", record.place, record.name());
        if let Some(at) = at {
            let _ = write!(text, ", which waits at {} for `{}`", at.place, at.name());
        }
        Found::new(finding, text)
    }

    pub(super) fn skipped(gave: &Gave) -> Found {
        let (place, name) = (gave.place, &gave.name);
        let text = format!(
            "`{name}` did not begin, at {place}, where the function went on after the end: cleanup goes into \
             `ctx.shield(limit, ..)` or `ctx.defer(limit, ..)`"
        );
        Found::new(Finding::Skipped, text)
    }

    pub(super) fn swallowed(gave: &Gave) -> Found {
        let (place, name) = (gave.place, &gave.name);
        let how = match gave.outcome {
            Outcome::Refused => "did not begin",
            _ => "was given up",
        };
        let text = format!(
            "the output says that all was done, though `{name}` {how}, at {place}: the end was swallowed"
        );
        Found::new(Finding::Swallowed, text)
    }
}

/// All that is told of one run.
pub(super) struct Report<'a> {
    pub(super) number: usize,
    pub(super) seed: u64,
    pub(super) end: Option<&'a End>,
    pub(super) found: &'a [Found],
    /// The awaits that gave the end, where a check of the test's failed: one of them is why.
    pub(super) gave: &'a [Gave],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            Some(end) => writeln!(f, "{end}")?,
            None => writeln!(f, "without any end")?,
        }
        for found in self.found {
            // Texts of several lines stay under their dash.
            writeln!(f, "  - {}", found.text.replace('\n', "\n    "))?;
        }
        for gave in self.gave {
            let how =
                if gave.outcome == Outcome::Refused { "did not begin" } else { "was given up" };
            writeln!(f, "  after it, `{}` {how}, at {}", gave.name, gave.place)?;
        }
        write!(f, "  (run {}, seed {})", self.number, self.seed)
    }
}
