//! The context of the scope that is being polled on this thread.
//!
//! The one file with `unsafe`: a leaf looks at a flag through a pointer of this thread, and nothing that the borrow
//! checker can follow costs as little (`benches/src/bin/call-cost.rs`).
//!
//! # Invariants
//! 1. A context is current exactly while its scope polls or drops what it holds, also when that panics: the thread
//!    points at it meanwhile. Nothing is cloned or moved for it.
//! 2. Scopes nest: leaving one makes the outer one current again.
//! 3. Whatever a pointer here points at is borrowed by the call of [`enter`] that put it here, which takes it away
//!    before it returns or unwinds, or it is static.
//! 4. `LEAVES.header` is that of the current context, null where there is none. `LEAVES.alert` says that a leaf that begins
//!    has more to look at than whether that has ended.
//! 5. `FRAME` is the async scope that is being polled: the waker it is polled with, and registers if it stays
//!    pending, and how many scopes inside rely on that. No frame is current in blocking code.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use crate::cause::Cancelled;
use crate::context::header::Header;
use crate::ctx::Ctx;
use crate::shield;

thread_local! {
    static CURRENT: Cell<*const Ctx> = const { Cell::new(ptr::null()) };
    static LEAVES: Leaves = const { Leaves { header: Cell::new(ptr::null()), alert: Cell::new(false), polls: Cell::new(64) } };
    static FRAME: Cell<Frame> = const { Cell::new(NO_FRAME) };
    static NEXT_SERIAL: Cell<u64> = const { Cell::new(0) };
}

/// What each leaf looks at, in one place: the address of a thread's variable takes an instruction.
struct Leaves {
    /// Invariant 4.
    header: Cell<*const Header>,
    alert: Cell<bool>,
    /// How many polls of leaves are left before one looks at the clock.
    polls: Cell<u32>,
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

/// Polls or drops what an async scope holds: runs `f` with `ctx` current. `waker` is `None` where it is dropped.
#[inline]
pub(crate) fn enter<R>(
    ctx: &Ctx,
    waker: Option<&Waker>,
    cover: &mut Cover,
    f: impl FnOnce() -> R,
) -> R {
    let waker = waker.map_or(NO_FRAME.waker, id);
    let _entered = Entered {
        ctx: CURRENT.replace(ctx),
        leaves: LEAVES
            .with(|leaves| (leaves.header.replace(ctx.header()), leaves.alert.replace(false))),
        frame: FRAME.replace(Frame { waker, cover: *cover }),
        cover,
        mark: shield::mark(),
    };
    f()
}

/// What was current before. It lives in [`enter`] alone, so it is dropped, and in the order that invariant 3 needs.
struct Entered<'a> {
    ctx: *const Ctx,
    leaves: (*const Header, bool),
    frame: Frame,
    cover: &'a mut Cover,
    /// Where the list of pending shields ended.
    mark: shield::Mark,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.ctx);
        LEAVES.with(|leaves| {
            leaves.header.set(self.leaves.0);
            leaves.alert.set(self.leaves.1);
        });
        *self.cover = FRAME.replace(self.frame).cover;
        // No async scope around this one could hold what is pending in it.
        if self.frame.waker == NO_FRAME.waker {
            shield::forget_since(self.mark);
        }
    }
}

/// Runs `f` on the current context, if one is.
#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
pub(crate) fn with<R>(f: impl FnOnce(&Ctx) -> R) -> Option<R> {
    let ctx = CURRENT.get();
    // SAFETY: null, or a `Ctx` that a call of `enter` further up the stack of this thread borrows (invariant 3). That
    // call does not end before `f` does, and `f` cannot keep the reference.
    unsafe { ctx.as_ref() }.map(f)
}

/// Whether a leaf that begins has more to do than to begin: the current context has ended, or somebody raised
/// [`alert`]. A flag, not the clock.
#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
pub(crate) fn has_news() -> bool {
    LEAVES.with(|leaves| {
        // SAFETY: null, or the header of a context that a call of `enter` further up the stack of this thread borrows
        // (invariant 3), which keeps its node. It is looked at here and now.
        leaves.alert.get() || unsafe { leaves.header.get().as_ref() }.is_some_and(Header::ended)
    })
}

/// Counts the polls of leaves, and now and then looks at the clock, so that the next leaf finds the end.
#[inline]
pub(crate) fn polls_a_leaf() {
    let left = LEAVES.with(|leaves| {
        leaves.polls.update(|left| left.wrapping_sub(1));
        leaves.polls.get()
    });
    if left == 0 {
        look_at_the_clock();
    }
}

#[cold]
#[inline(never)]
fn look_at_the_clock() {
    LEAVES.with(|leaves| leaves.polls.set(64));
    with(Ctx::expire_if_due);
}

/// Has the next leaf of the current scope look closer.
pub(crate) fn alert() {
    LEAVES.with(|leaves| leaves.alert.set(true));
}

/// Takes the alert back.
pub(crate) fn heard() {
    LEAVES.with(|leaves| leaves.alert.set(false));
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
    FRAME.get().waker == id(waker) && with(|outer| outer.same_end(ctx)).unwrap_or(false)
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

/// The current context, where that descends from `ctx`.
pub(crate) fn narrower(ctx: &Ctx) -> Option<Ctx> {
    with(|current| current.descends_from(ctx).then(|| current.clone())).flatten()
}

/// Whether a context is current.
pub(crate) fn is_set() -> bool {
    !CURRENT.get().is_null()
}

/// Whether the end of the current context was recorded.
#[inline]
pub(crate) fn ended() -> bool {
    with(Ctx::ended).unwrap_or(false)
}

/// Has all that wait for the end of the current context told of it, if it has come.
#[cold]
pub(crate) fn tell() {
    with(Ctx::tell);
}

/// The error that tells the end of the current context, if that was recorded.
pub(crate) fn recorded_end() -> Option<Cancelled> {
    with(Ctx::recorded_end).flatten()
}

impl Ctx {
    /// The context of the scope that is being polled.
    ///
    /// # Panics
    ///
    /// Outside of any scope. A `#[propagate]` body is always inside one; elsewhere use
    /// [`try_current`](Ctx::try_current), or hand the context over.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use ctxprop::{Background, Ctx, propagate};
    ///
    /// #[propagate]
    /// async fn locale() -> &'static str {
    ///     Ctx::current().value::<&str>().copied().unwrap_or("en")
    /// }
    ///
    /// assert_eq!(locale().with(&Ctx::background().with_value("de")).await, "de");
    /// # });
    /// ```
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

    /// The context of the scope that is being polled, if one is: for code that also runs outside of requests.
    pub fn try_current() -> Option<Ctx> {
        with(Ctx::clone)
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
        enter(self, None, &mut { Cover::NONE }, f)
    }
}

/// Run under miri by the gate, where it is installed.
#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{alert, ended, has_news, heard, is_set};
    use crate::{Background, Ctx};

    #[test]
    fn contexts_nest_and_go_also_when_the_code_inside_panics() {
        let (outer, end_outer) = Ctx::background().with_value(1_u8).with_cancel();
        let inner = outer.with_value(2_u8).with_cancel().0;
        let value = || Ctx::current().value::<u8>().copied();
        assert!(!is_set() && !ended() && !has_news());
        outer.sync_scope(|| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                inner.sync_scope(|| {
                    assert_eq!(value(), Some(2));
                    panic!("inside");
                })
            }));
            assert!(panicked.is_err());
            assert_eq!(value(), Some(1));
            assert!(!has_news());
            end_outer.cancel();
            assert!(has_news() && ended());
        });
        assert!(!is_set() && !ended() && !has_news());
    }

    #[test]
    fn an_alert_lasts_until_it_is_heard_or_the_scope_is_left() {
        let ctx = Ctx::background().with_cancel().0;
        ctx.sync_scope(|| {
            alert();
            assert!(has_news() && !ended());
            ctx.sync_scope(|| assert!(!has_news(), "it is the outer scope's"));
            assert!(has_news());
            heard();
            assert!(!has_news());
            alert();
        });
        assert!(!has_news());
    }

    #[test]
    fn what_is_current_may_be_the_last_handle() {
        let ctx = Ctx::background().with_cancel().0;
        let kept = ctx.sync_scope(Ctx::current);
        drop(ctx);
        kept.sync_scope(|| assert!(is_set() && !has_news()));
    }
}
