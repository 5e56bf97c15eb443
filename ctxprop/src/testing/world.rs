//! [`World`]: what there is once a run is over, for the test to look at.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::end::cause::{Cancelled, Cause};

/// When, beside an await, the context of a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It is made, and does not begin.
    Before,
    /// It is pending.
    During,
    /// It is ready, and its value is given.
    After,
}

impl Phase {
    pub(super) const ALL: [Phase; 3] = [Phase::Before, Phase::During, Phase::After];
}

/// Where and why the context of a run ended.
#[derive(Clone, Debug)]
pub struct End {
    pub(super) place: &'static Location<'static>,
    pub(super) awaits: String,
    pub(super) phase: Phase,
    pub(super) cause: Cause,
    pub(super) unwound_in: Duration,
}

impl End {
    /// The await at which it ended.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// The path of the function that is awaited there, or the name of its type.
    pub fn awaits(&self) -> &str {
        &self.awaits
    }

    /// Whether that await had begun, and was ready.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// How long the run went on after the end, by the clock of the test: its shields, and all that did not listen.
    pub fn unwound_in(&self) -> Duration {
        self.unwound_in
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.phase {
            Phase::Before => "before it began",
            Phase::During => "while it was pending",
            Phase::After => "right after it was ready",
        };
        let (place, awaits) = (self.place, &self.awaits);
        write!(
            f,
            "the end ({}) came at {place}, the await of `{awaits}`, {when}",
            self.cause.as_str()
        )
    }
}

/// One run, once it is over: its output, its end, and what it did to the state that it was given.
#[derive(Debug)]
pub struct World<S, T> {
    pub(super) state: S,
    pub(super) outcome: Result<T, Cancelled>,
    pub(super) end: Option<End>,
    pub(super) was_told: bool,
    pub(super) number: usize,
}

impl<S, T> World<S, T> {
    /// What [`given`](super::given) made for this run.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// What the future gave; `None` where it was dropped at the end, as a server drops a handler that does not unwind.
    pub fn output(&self) -> Option<&T> {
        self.outcome.as_ref().ok()
    }

    /// The same, or why there is none.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] where the future was dropped at the end.
    pub fn outcome(&self) -> Result<&T, &Cancelled> {
        self.outcome.as_ref()
    }

    /// Where and why the context ended; `None` in the first run, which goes through.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Why the context ended; `None` in the first run, which goes through.
    pub fn cause(&self) -> Option<&Cause> {
        self.end.as_ref().map(|end| &end.cause)
    }

    /// Whether an await of the future gave the end, be it refused or given up. Not so in the first run, nor where the end came
    /// too late, behind the last await: the future could not know then. Tasks beside it do not count.
    pub fn was_told(&self) -> bool {
        self.was_told
    }

    /// The number of the run, from 0.
    pub fn run(&self) -> usize {
        self.number
    }
}
