//! The one thread that serves callbacks and tokens where no runtime does: it runs those callbacks that are due, and sees to the
//! deadlines of those that wait. A thread each would not be had where there are thousands.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{OnceLock, Weak};

use tokio::time::Instant;

use super::callbacks::Callbacks;
use super::dispatch::Run;
use crate::end::cause::Cause;

enum Errand {
    Call(Run, Cause),
    /// Nothing of the context is kept for its deadline.
    Watch(Instant, Weak<Callbacks>),
}

static THREAD: OnceLock<Option<Sender<Errand>>> = OnceLock::new();

/// Gives the errand back where there is no thread.
fn send(errand: Errand) -> Result<(), Errand> {
    let thread = THREAD.get_or_init(|| {
        let (thread, errands) = mpsc::channel();
        let named = std::thread::Builder::new().name("ctxprop-on-done".to_owned());
        named.spawn(move || serve(&errands)).is_ok().then_some(thread)
    });
    match thread {
        Some(thread) => thread.send(errand).map_err(|refused| refused.0),
        None => Err(errand),
    }
}

/// Calls a callback in the thread; here and now, rather than never, where there is none.
pub(super) fn call(run: Run, cause: Cause) {
    if let Err(Errand::Call(run, cause)) = send(Errand::Call(run, cause)) {
        contained(run, cause);
    }
}

/// Ends what has these callbacks at its deadline, by the clock of the system. Without a thread, whoever looks finds it.
pub(super) fn watch(deadline: Instant, callbacks: Weak<Callbacks>) {
    drop(send(Errand::Watch(deadline, callbacks)));
}

/// A callback that panics, which its panic hook has told, breaks nothing (3.1.7).
fn contained(run: Run, cause: Cause) {
    drop(catch_unwind(AssertUnwindSafe(|| run(cause))));
}

fn serve(errands: &Receiver<Errand>) {
    let mut deadlines = Deadlines::default();
    loop {
        let errand = match deadlines.next() {
            Some(at) => errands.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => errands.recv().map_err(RecvTimeoutError::from),
        };
        match errand {
            Ok(Errand::Call(run, cause)) => contained(run, cause),
            Ok(Errand::Watch(at, callbacks)) => deadlines.add(at, callbacks),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        deadlines.pass(Instant::now());
    }
}

/// Whose deadline is next.
#[derive(Default)]
struct Deadlines {
    /// By a number where several are of one moment.
    waiting: BTreeMap<(Instant, u64), Weak<Callbacks>>,
    added: u64,
    /// How many there may be before those that are gone are looked for.
    room: usize,
}

/// Fewer are not worth it.
const FEW: usize = 64;

impl Deadlines {
    fn next(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    fn add(&mut self, at: Instant, callbacks: Weak<Callbacks>) {
        self.added += 1;
        self.waiting.insert((at, self.added), callbacks);
        if self.waiting.len() > self.room.max(FEW) {
            self.waiting.retain(|_, callbacks| callbacks.strong_count() > 0);
            self.room = 2 * self.waiting.len();
        }
    }

    /// Ends what is due.
    fn pass(&mut self, now: Instant) {
        while self.next().is_some_and(|at| at <= now) {
            let Some((_, callbacks)) = self.waiting.pop_first() else { return };
            // Here a waker may panic that is not ours; the others wait for their deadlines all the same.
            drop(catch_unwind(AssertUnwindSafe(|| {
                callbacks
                    .upgrade()
                    .and_then(|callbacks| callbacks.node())
                    .is_some_and(|node| node.expire_if_due())
            })));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_that_are_gone_make_room() {
        let mut deadlines = Deadlines::default();
        for n in 0..10_000 {
            deadlines.add(Instant::now() + Duration::from_secs(3_600 + n), Weak::new());
            assert!(deadlines.waiting.len() <= FEW);
        }
    }
}
