//! Callbacks at the end of a context: [`Ctx::on_done`].
//!
//! They run beside whoever ended the context, never inside the call that did.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;

use crate::cancel;
use crate::cause::Cause;
use crate::ctx::Ctx;
use crate::ctx::node::Node;
use crate::run::done::Done;
use crate::slots::Slots;

type Run = Box<dyn FnOnce(Cause) + Send>;

/// A function to call at the end, and where to.
pub(crate) struct Callback {
    run: Run,
    runtime: Option<Handle>,
}

impl Callback {
    /// Calls the function in a task of its runtime, or in the thread for those without one.
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

/// The callbacks that wait for the end of one context. Each method is called under that context's lock, so what it
/// takes out it gives back.
#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    waiting: Slots<Callback>,
    driver: Driver,
}

/// The task that drives the deadline for callbacks, which are nobody's future.
#[derive(Debug, Default)]
enum Driver {
    #[default]
    None,
    /// It was spawned and has not been polled.
    Starts,
    /// It waits for the end, and is woken when no callback is left.
    Waits(Waker),
}

impl Callbacks {
    pub(crate) fn dispatch(self, cause: &Cause) {
        self.waiting.into_items().for_each(|callback| callback.dispatch(cause.clone()));
    }

    /// Adds `callback`, and tells its key. True where the caller, who can, is to spawn the driver.
    fn add(&mut self, callback: Callback, can_drive: bool) -> (usize, bool) {
        let drive = can_drive && matches!(self.driver, Driver::None);
        if drive {
            self.driver = Driver::Starts;
        }
        (self.waiting.insert(callback), drive)
    }

    /// Takes the callback under `key` out, if it is there, and gives the driver's waker if it was the last.
    fn remove(&mut self, key: usize) -> (Option<Callback>, Option<Waker>) {
        let callback = self.waiting.remove(key);
        let idle = match &self.driver {
            Driver::Waits(waker) if self.waiting.is_empty() => Some(waker.clone()),
            _ => None,
        };
        (callback, idle)
    }

    /// Nothing waits, and no task does for it.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && matches!(self.driver, Driver::None)
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
        if let Some(call) = self.0.take() {
            outside_of_runtimes(call);
        }
    }
}

/// The queue of the one thread that runs the callbacks for which there is no runtime: a thread each would not be had
/// where there are thousands.
static OUTSIDE: OnceLock<Option<Sender<(Run, Cause)>>> = OnceLock::new();

fn outside_of_runtimes(call: (Run, Cause)) {
    let queue = OUTSIDE.get_or_init(|| {
        let (queue, calls) = mpsc::channel::<(Run, Cause)>();
        let thread = std::thread::Builder::new().name("ctxprop-on-done".to_owned());
        let run_all = move || calls.into_iter().for_each(|(run, cause)| contained(run, cause));
        thread.spawn(run_all).is_ok().then_some(queue)
    });
    let refused = match queue {
        Some(queue) => queue.send(call).err().map(|refused| refused.0),
        None => Some(call),
    };
    // Without a thread it is called here and now rather than lost.
    if let Some((run, cause)) = refused {
        contained(run, cause);
    }
}

/// A callback that panics, which its panic hook has told, breaks nothing (3.1.7).
fn contained(run: Run, cause: Cause) {
    drop(catch_unwind(AssertUnwindSafe(|| run(cause))));
}

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
    Waits {
        node: Arc<Node>,
        key: usize,
    },
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = matches!(self.place, Place::Waits { .. });
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
            Place::Waits { node, key } => take_back(node, *key).is_some(),
        }
    }
}

pin_project! {
    /// The task that drives the deadline of a context that has callbacks: one for all of them, until the end or
    /// until none is left.
    struct Drive {
        #[pin]
        done: Done,
        node: Arc<Node>,
        over: bool,
    }

    impl PinnedDrop for Drive {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.over {
                driver_gone(this.node);
            }
        }
    }
}

impl Future for Drive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        *this.over = !drives(this.node, cx.waker()) || this.done.poll(cx).is_ready();
        if *this.over { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Takes the callback under `key` back, if it has not been called.
fn take_back(node: &Node, key: usize) -> Option<Callback> {
    let (callback, idle, _none_left) = cancel::with_callbacks(node, |slot, _| {
        let (callback, idle) = slot.as_mut()?.remove(key);
        Some((callback, idle, slot.take_if(|callbacks| callbacks.is_idle())))
    })??;
    idle.iter().for_each(Waker::wake_by_ref);
    callback
}

/// Whether the driver still has callbacks to drive the deadline for; if so, `waker` is woken when it has none.
fn drives(node: &Node, waker: &Waker) -> bool {
    let mut waits = Some(Driver::Waits(waker.clone()));
    let drives = cancel::with_callbacks(node, |slot, _| {
        let callbacks = slot.as_mut()?;
        let drives = !callbacks.waiting.is_empty();
        let next = waits.take_if(|_| drives).unwrap_or_default();
        let old = std::mem::replace(&mut callbacks.driver, next);
        Some((drives, old, slot.take_if(|callbacks| callbacks.is_idle())))
    });
    drives.flatten().is_some_and(|(drives, ..)| drives)
}

/// The driver goes before [`drives`] let it: with its runtime.
fn driver_gone(node: &Node) {
    let old = cancel::with_callbacks(node, |slot, _| {
        slot.as_mut().map(|callbacks| std::mem::take(&mut callbacks.driver))
    });
    drop(old);
}

impl Ctx {
    /// Calls `f` once with the cause after this context has ended; at once if it has.
    ///
    /// `f` runs in a task of the runtime in which `on_done` was called, or, outside of one and where that runtime shuts
    /// down, in a thread that all such callbacks share: whoever ends the context does not wait for it, and a panic in
    /// it touches nothing else. It must not block; for that, spawn.
    ///
    /// In a runtime the deadline ends the context on time. Outside of one, and in one without timers
    /// (`enable_time`), it is noticed when somebody looks, with [`is_done`](Ctx::is_done) for example.
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
        let can_drive = node.deadline.is_some() && runtime.is_some();
        let registered = cancel::with_callbacks(&node, |slot, ended| match ended {
            Some(cause) => Err((callback, cause.clone())),
            None => Ok(slot.get_or_insert_default().add(callback, can_drive)),
        });
        let place = match registered {
            None => Place::Never,
            Some(Err((callback, cause))) => {
                callback.dispatch(cause);
                Place::Called
            }
            Some(Ok((key, drive))) => {
                if let Some(runtime) = runtime.filter(|_| drive) {
                    let node = Arc::clone(&node);
                    drop(runtime.spawn(Drive { done: self.done(), node, over: false }));
                }
                Place::Waits { node, key }
            }
        };
        Registration { place, stopped: AtomicBool::new(false) }
    }
}
