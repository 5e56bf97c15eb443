//! The one thread that serves callbacks and tokens where no runtime does: it runs those callbacks that are due, sees to the
//! deadlines of those that wait, and drops what whoever ends a context must not. A thread each would not be had where there are
//! thousands.

use std::collections::BTreeMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{OnceLock, Weak};

use tokio::time::Instant;

use super::callbacks::Callbacks;
use super::dispatch::Run;
use super::handle::Node;
use crate::end::cause::Cause;

enum Errand {
    Call(Run, Cause),
    /// Nothing of the context is kept for its deadline.
    Watch(Instant, Weak<Callbacks>),
    /// A last handle.
    Drop(Node),
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
        contained(|| run(cause));
    }
}

/// Drops a handle that a waker had meanwhile. The last one drops values, which are foreign code: whoever ends a context may
/// hold locks that it asks for, as tokens of tokio-util up to 0.7.19 do while they wake.
pub(super) fn let_go(node: Node) {
    // The thread is none of the model's, whose atomics a node is made of there.
    if cfg!(ctxprop_model) {
        return;
    }
    if let Some(last) = node.unless_last() {
        drop(send(Errand::Drop(last)));
    }
}

/// Ends what has these callbacks at its deadline, by the clock of the system. Without a thread, whoever looks finds it.
pub(super) fn watch(deadline: Instant, callbacks: Weak<Callbacks>) {
    drop(send(Errand::Watch(deadline, callbacks)));
}

/// What panics, which the panic hook has told, breaks nothing (3.1.7).
fn contained(f: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else { return };
    // What it panicked with may panic as it is dropped, and so may what that panics with.
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(another);
    }
}

fn serve(errands: &Receiver<Errand>) {
    let mut deadlines = Deadlines::default();
    loop {
        let errand = match deadlines.next() {
            Some(at) => errands.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => errands.recv().map_err(RecvTimeoutError::from),
        };
        match errand {
            Ok(Errand::Call(run, cause)) => contained(|| run(cause)),
            Ok(Errand::Drop(last)) => contained(|| drop(last)),
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
            contained(|| {
                if let Some(node) = callbacks.upgrade().and_then(|callbacks| callbacks.node()) {
                    node.expire_if_due();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Panics as it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }

    // Fails where what a callback panicked with is dropped unguarded.
    #[test]
    fn rule_3_1_7_the_thread_outlives_a_panic_that_panics_as_it_is_dropped() {
        let (tell, told) = mpsc::channel();
        let twin = tell.clone();
        call(Box::new(move |_| tell.send(thread::current().id()).unwrap()), Cause::Cancelled);
        call(Box::new(|_| panic_any(Bomb)), Cause::Cancelled);
        call(Box::new(move |_| twin.send(thread::current().id()).unwrap()), Cause::Cancelled);
        let first = told.recv().unwrap();
        assert_ne!(first, thread::current().id());
        assert_eq!(told.recv(), Ok(first), "it is the one thread");
    }

    #[test]
    fn those_that_are_gone_make_room() {
        let mut deadlines = Deadlines::default();
        for n in 0..10_000 {
            deadlines.add(Instant::now() + Duration::from_secs(3_600 + n), Weak::new());
            assert!(deadlines.waiting.len() <= FEW);
        }
    }
}
