//! The context of the scope that is being polled on this thread.
//!
//! # Invariants
//! 1. A context is current exactly while its scope polls or drops what it holds: it is moved in and out
//!    around each, also when that panics. Nothing is cloned for it.
//! 2. Scopes nest: leaving one makes the outer one current again.
//! 3. `WAKER` is the waker that the current scope is polled with, and registers if it stays pending.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ptr;
use std::task::Waker;

use crate::cause::Cancelled;
use crate::ctx::Ctx;
use crate::shield;

thread_local! {
    // Without a destructor, which would make each access ask whether it has run. Nothing is lost: a thread
    // that ends is in no scope, so this is `None` then (invariant 1).
    static CURRENT: RefCell<ManuallyDrop<Option<Ctx>>> = const { RefCell::new(ManuallyDrop::new(None)) };
    static WAKER: Cell<WakerId> = const { Cell::new(NO_WAKER) };
}

/// What [`Waker::will_wake`] compares. Only compared, never used as pointers.
type WakerId = (usize, usize);

const NO_WAKER: WakerId = (0, 0);

fn id(waker: &Waker) -> WakerId {
    (waker.data().addr(), ptr::from_ref(waker.vtable()).addr())
}

/// Runs `f` with the context in `slot` current; meanwhile `slot` holds the one that was. `waker` is what
/// a scope is polled with.
#[inline]
pub(crate) fn enter<R>(slot: &mut Option<Ctx>, waker: Option<&Waker>, f: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(slot, waker.map_or(NO_WAKER, id));
    f()
}

struct Entered<'a> {
    slot: &'a mut Option<Ctx>,
    outer_waker: WakerId,
}

impl<'a> Entered<'a> {
    fn new(slot: &'a mut Option<Ctx>, waker: WakerId) -> Self {
        swap(slot);
        Entered { slot, outer_waker: WAKER.replace(waker) }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if self.slot.is_none() {
            shield::leave_outermost_scope();
        }
        WAKER.set(self.outer_waker);
        swap(self.slot);
    }
}

/// Whether the scope that is being polled waits for the end of `ctx` with `waker` too: then one inside it
/// need not.
#[inline]
pub(crate) fn covers(ctx: &Ctx, waker: &Waker) -> bool {
    WAKER.get() == id(waker)
        && CURRENT
            .with(|current| current.borrow().as_ref().is_some_and(|outer| outer.ends_with(ctx)))
}

fn swap(slot: &mut Option<Ctx>) {
    CURRENT.with(|current| std::mem::swap(&mut **current.borrow_mut(), slot));
}

/// Whether a scope is being polled.
pub(crate) fn is_set() -> bool {
    CURRENT.with(|current| current.borrow().is_some())
}

/// Whether the current context has ended, as a leaf asks: a flag, not the clock.
#[inline]
pub(crate) fn ended() -> bool {
    CURRENT.with(|current| current.borrow().as_ref().is_some_and(Ctx::ended))
}

/// What `f` makes of the current context, if one is current.
pub(crate) fn with<R>(f: impl FnOnce(&Ctx) -> R) -> Option<R> {
    CURRENT.with(|current| current.borrow().as_ref().map(f))
}

/// The error that tells the end of the current context, if that was recorded.
pub(crate) fn recorded_end() -> Option<Cancelled> {
    CURRENT.with(|current| current.borrow().as_ref().and_then(Ctx::recorded_end))
}

impl Ctx {
    /// The context of the scope that is being polled.
    ///
    /// # Panics
    ///
    /// Outside of any scope. A `#[propagate]` body is always inside one; elsewhere use
    /// [`try_current`](Ctx::try_current), or hand the context over.
    #[track_caller]
    pub fn current() -> Ctx {
        match Ctx::try_current() {
            Some(ctx) => ctx,
            None => panic!(
                "no context is current here: `Ctx::current()` works inside `ctx.scope(..)`, `ctx.run(..)`, \
                 `ctx.spawn(..)` and `#[propagate]` functions"
            ),
        }
    }

    /// The context of the scope that is being polled, if one is.
    pub fn try_current() -> Option<Ctx> {
        CURRENT.with(|current| Option::clone(&current.borrow()))
    }

    /// Runs blocking code with this context current.
    ///
    /// # Examples
    ///
    /// ```
    /// use ctxprop::{Background, Ctx};
    ///
    /// let ctx = Ctx::background().with_value("for the thread");
    /// let value = ctx.sync_scope(|| Ctx::current().value::<&str>().copied());
    /// assert_eq!(value, Some("for the thread"));
    /// ```
    pub fn sync_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        enter(&mut Some(self.clone()), None, f)
    }
}
