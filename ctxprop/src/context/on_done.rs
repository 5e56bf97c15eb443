//! Callbacks at the end of a context: [`Ctx::on_done`]. How they hear of it is `callbacks.rs`, how they are called
//! `dispatch.rs`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::callbacks::{Callbacks, Key};
use super::ctx::Ctx;
use super::dispatch::Callback;
use super::handle::Node;
use crate::end::cause::Cause;

/// A callback's place in its context: see [`Ctx::on_done`]. Dropping it leaves the callback in place.
pub struct Registration {
    place: Place,
    stopped: AtomicBool,
}

enum Place {
    /// The end had come: the callback was called at once.
    Called,
    /// The end cannot come.
    Never,
    /// It waits with the callbacks of this node.
    Waits(Node, Key),
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = matches!(self.place, Place::Waits(..));
        let stopped = self.stopped.load(Ordering::Acquire);
        f.debug_struct("Registration")
            .field("waits", &waits)
            .field("stopped", &stopped)
            .finish_non_exhaustive()
    }
}

impl Registration {
    /// Takes the callback back. True if that was in time: then, and only then, it never runs. True at
    /// most once.
    pub fn stop(&self) -> bool {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return false;
        }
        match &self.place {
            Place::Called => false,
            Place::Never => true,
            Place::Waits(node, key) => Callbacks::of(node).remove(node, *key).is_some(),
        }
    }
}

impl Ctx {
    /// Calls `f` once with the cause after this context has ended; at once if it has.
    ///
    /// `f` runs in a task of the runtime in which `on_done` was called. Outside of one, and where that runtime shuts down, it runs
    /// in a thread that all such callbacks share. The `tracing` span that is current here is current there, too. Whoever ends the
    /// context does not wait for it, and a panic in it touches nothing else. It must not block; for that, spawn.
    ///
    /// The deadline ends the context on time, also where nobody else waits for it: by the clock of the runtime in which `on_done`
    /// was called; outside of one, once it was shut down, and in one without timers (`enable_time`), by the clock of the system.
    ///
    /// It is kept with the context that can end, this one or the nearest above: once nobody holds that any more, it is
    /// gone with it.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Cause, Ctx};
    ///
    /// let (ctx, canceller) = Ctx::background().with_cancel();
    /// let (tell, told) = tokio::sync::oneshot::channel();
    /// let registration = ctx.on_done(move |cause| drop(tell.send(cause)));
    /// canceller.cancel();
    /// assert_eq!(told.await.unwrap(), Cause::Cancelled);
    /// assert!(!registration.stop(), "too late");
    /// # });
    /// ```
    #[doc(alias = "AfterFunc")]
    pub fn on_done<F: FnOnce(Cause) + Send + 'static>(&self, f: F) -> Registration {
        let callback = Callback::here(f);
        let placed = |place| Registration { place, stopped: AtomicBool::new(false) };
        let Some(node) = self.node().ending() else {
            return placed(Place::Never);
        };
        // Looks at the clock, so that a deadline that has passed is an end that has come.
        if let Some(cause) = self.cause() {
            callback.dispatch(cause);
            return placed(Place::Called);
        }
        let key = Callbacks::of(node).add(node, callback);
        placed(Place::Waits(node.clone(), key))
    }
}
