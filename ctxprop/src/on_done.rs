//! Callbacks at the end of a context: [`Ctx::on_done`].
//!
//! They run beside whoever ended the context, never inside the call that did.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

use crate::cancel;
use crate::cause::Cause;
use crate::ctx::Ctx;
use crate::ctx::node::Node;

type Run = Box<dyn FnOnce(Cause) + Send>;

/// A function to call at the end, and where to.
pub(crate) struct Callback {
    run: Run,
    runtime: Option<Handle>,
}

impl Callback {
    /// Calls the function in a task of its runtime, or in a thread where there is none.
    pub(crate) fn dispatch(self, cause: Cause) {
        let call = Call(Some((self.run, cause)));
        match self.runtime {
            Some(runtime) => drop(runtime.spawn(async move { call.run() })),
            None => drop(call),
        }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// A call that is due. Dropped unrun, as a runtime that shuts down drops its tasks, it runs in a thread:
/// the end is told once, whatever happens (3.1.7).
struct Call(Option<(Run, Cause)>);

impl Call {
    fn run(mut self) {
        if let Some((run, cause)) = self.0.take() {
            run(cause);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some((run, cause)) = self.0.take() {
            let thread = std::thread::Builder::new().name("ctxprop-on-done".to_owned());
            if let Err(error) = thread.spawn(move || run(cause)) {
                tracing::error!(target: "ctxprop", %error, "no thread for an on_done callback: it is lost");
            }
        }
    }
}

/// A callback's place in its context: see [`Ctx::on_done`]. Dropping it leaves the callback in place.
#[derive(Debug)]
pub struct Registration {
    place: Place,
    stopped: AtomicBool,
}

#[derive(Debug)]
enum Place {
    /// The end had come: the callback was called at once.
    Called,
    /// The end cannot come.
    Never,
    Waits {
        node: Arc<Node>,
        key: usize,
    },
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
            Place::Waits { node, key } => cancel::unregister_callback(node, *key).is_some(),
        }
    }
}

impl Ctx {
    /// Calls `f` once with the cause after this context has ended; at once if it has.
    ///
    /// `f` runs in a task of the runtime in which `on_done` was called, or in a thread of its own outside
    /// of one: whoever ends the context does not wait for it, and a panic in it touches nothing else. It
    /// must not block; for that, spawn.
    ///
    /// In a runtime the deadline ends the context on time. Outside of one it is noticed when somebody
    /// looks, with [`is_done`](Ctx::is_done) for example.
    ///
    /// # Panics
    ///
    /// Where the context has a deadline and the current runtime has no timers (`enable_time`).
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
    pub fn on_done<F: FnOnce(Cause) + Send + 'static>(&self, f: F) -> Registration {
        let runtime = Handle::try_current().ok();
        let node = Arc::clone(self.node());
        let callback = Callback { run: Box::new(f), runtime: runtime.clone() };
        // Looks at the clock, so that a deadline that has passed is an end that has come.
        self.is_done();
        let place = match cancel::register_callback(&node, callback) {
            Err((callback, cause)) => {
                callback.dispatch(cause);
                Place::Called
            }
            Ok(None) => Place::Never,
            Ok(Some(key)) => {
                // Somebody has to drive the timer, and a callback is nobody's future. The task ends with
                // the context, however that ends.
                if let (Some(_), Some(runtime)) = (node.deadline, runtime) {
                    drop(runtime.spawn(self.done()));
                }
                Place::Waits { node, key }
            }
        };
        Registration { place, stopped: AtomicBool::new(false) }
    }
}
