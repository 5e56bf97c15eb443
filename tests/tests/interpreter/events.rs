//! What is compared: the log of what happened, in order, and when. The real run and the rules write the same.

use std::sync::{Arc, Mutex, PoisonError};

use super::program::{Id, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A foreign future was polled for the first time.
    Began(Id),
    /// It was ready.
    Completed(Id),
    /// It had begun, and was dropped before it was ready.
    Dropped(Id),
    /// An await gave a value: of a statement, or, numbered, of a branch.
    Gave(Id, u8, Value),
    /// The whole program is over.
    Over(Value),
    /// The program waits for ever.
    Hangs,
}

pub(crate) type Log = Vec<(u32, Event)>;

/// What notes events, and ends the context in the middle of a poll.
#[derive(Clone)]
pub(crate) struct Notes(Arc<Inner>);

struct Inner {
    log: Mutex<Log>,
    now: Box<dyn Fn() -> u32 + Send + Sync>,
    /// Called after so many events.
    end: Option<(usize, Box<dyn Fn() + Send + Sync>)>,
}

impl Notes {
    pub(crate) fn new(
        now: impl Fn() -> u32 + Send + Sync + 'static,
        end: Option<(usize, Box<dyn Fn() + Send + Sync>)>,
    ) -> Notes {
        Notes(Arc::new(Inner { log: Mutex::default(), now: Box::new(now), end }))
    }

    pub(crate) fn note(&self, event: Event) {
        let count = {
            let mut log = self.0.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(((self.0.now)(), event));
            log.len()
        };
        if let Some((at, end)) = &self.0.end
            && *at == count
        {
            end();
        }
    }

    pub(crate) fn gave(&self, id: Id, value: Value) {
        self.note(Event::Gave(id, 0, value));
    }

    pub(crate) fn taken(&self) -> Log {
        std::mem::take(&mut *self.0.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
