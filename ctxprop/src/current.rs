//! The context of the scope that is being polled on this thread.
//!
//! # Invariants
//! 1. A context is current exactly while its scope polls or drops what it holds: it is moved in and out
//!    around each, also when that panics. Nothing is cloned for it.
//! 2. Scopes nest: leaving one makes the outer one current again.
//! 3. `FRAME` is the async scope that is being polled: the waker it is polled with, and registers if it stays
//!    pending, and how many scopes inside rely on that. No frame is current in blocking code.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use crate::cause::Cancelled;
use crate::ctx::Ctx;
use crate::shield;

thread_local! {
    // Without a destructor, which would make each access ask whether it has run. Nothing is lost: a thread
    // that ends is in no scope, so this is `None` then (invariant 1).
    static CURRENT: RefCell<ManuallyDrop<Option<Ctx>>> = const { RefCell::new(ManuallyDrop::new(None)) };
    static FRAME: Cell<Frame> = const { Cell::new(NO_FRAME) };
    static NEXT_SERIAL: Cell<u64> = const { Cell::new(0) };
}

/// What [`Waker::will_wake`] compares. Only compared, never used as pointers.
type WakerId = (usize, usize);

#[derive(Clone, Copy, Debug)]
struct Frame {
    waker: WakerId,
    cover: Cover,
}

const NO_FRAME: Frame = Frame { waker: (0, 0), cover: Cover::NONE };

/// The scopes that wait inside of one that waits with the same waker for the same end, and registered nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cover {
    /// Unlike any other scope's, once it covers one.
    serial: u64,
    /// How many of them are pending.
    pub(crate) count: usize,
}

impl Cover {
    pub(crate) const NONE: Cover = Cover { serial: 0, count: 0 };
}

fn id(waker: &Waker) -> WakerId {
    (waker.data().addr(), ptr::from_ref(waker.vtable()).addr())
}

/// Unique in this process: each thread hands out a block of its own.
fn serial() -> u64 {
    static BLOCKS: AtomicU64 = AtomicU64::new(1);
    let next = match NEXT_SERIAL.get() {
        exhausted if exhausted.trailing_zeros() >= 32 => {
            BLOCKS.fetch_add(1, Ordering::Relaxed) << 32
        }
        next => next,
    };
    NEXT_SERIAL.set(next + 1);
    next + 1
}

/// Polls an async scope: runs `f` with the context in `slot` current; meanwhile `slot` holds the one that was.
/// `waker` is `None` where the scope is dropped.
#[inline]
pub(crate) fn enter<R>(
    slot: &mut Option<Ctx>,
    waker: Option<&Waker>,
    cover: &mut Cover,
    f: impl FnOnce() -> R,
) -> R {
    let waker = waker.map_or(NO_FRAME.waker, id);
    let _entered = Entered::new(slot, Frame { waker, cover: *cover }, cover);
    f()
}

struct Entered<'a> {
    slot: &'a mut Option<Ctx>,
    cover: &'a mut Cover,
    outer: Frame,
    /// Where the list of pending shields ended.
    mark: shield::Mark,
}

impl<'a> Entered<'a> {
    fn new(slot: &'a mut Option<Ctx>, frame: Frame, cover: &'a mut Cover) -> Self {
        swap(slot);
        Entered { slot, cover, outer: FRAME.replace(frame), mark: shield::mark() }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *self.cover = FRAME.replace(self.outer).cover;
        // No async scope around this one could hold what is pending in it.
        if self.outer.waker == NO_FRAME.waker {
            shield::forget_since(self.mark);
        }
        swap(self.slot);
    }
}

/// Whether an async scope is being polled, and not dropped.
#[inline]
pub(crate) fn polls_a_scope() -> bool {
    FRAME.get().waker != NO_FRAME.waker
}

/// Whether the scope that is being polled waits for the end of `ctx` with `waker` too: then one inside it
/// need not.
#[inline]
pub(crate) fn covers(ctx: &Ctx, waker: &Waker) -> bool {
    FRAME.get().waker == id(waker)
        && CURRENT
            .with(|current| current.borrow().as_ref().is_some_and(|outer| outer.ends_with(ctx)))
}

/// Notes that a scope stays pending and relies on the one that is being polled. `by` is the serial of the scope it
/// relied on so far.
pub(crate) fn rely(by: &mut u64) {
    let mut frame = FRAME.get();
    if frame.cover.serial == 0 {
        frame.cover.serial = serial();
    }
    if *by != frame.cover.serial {
        *by = frame.cover.serial;
        frame.cover.count += 1;
    }
    FRAME.set(frame);
}

/// Notes that a scope that relied on `by` is over. True where that is the scope that is being polled or dropped.
pub(crate) fn relies_no_more(by: u64) -> bool {
    let mut frame = FRAME.get();
    let here = by != 0 && by == frame.cover.serial;
    if here {
        frame.cover.count = frame.cover.count.saturating_sub(1);
        FRAME.set(frame);
    }
    here
}

/// Has the scope that is being polled cover `count` scopes that one inside it covered.
pub(crate) fn take_over(count: usize) {
    let mut frame = FRAME.get();
    frame.cover.count += count;
    FRAME.set(frame);
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

/// Whether all that waited for the end of the current context were told of it.
#[cold]
pub(crate) fn told() -> bool {
    CURRENT.with(|current| current.borrow().as_ref().is_none_or(Ctx::told))
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
        enter(&mut Some(self.clone()), None, &mut { Cover::NONE }, f)
    }
}
