//! The scope that is being polled on this thread, and the frames around what is polled.
//!
//! The one file of this floor with `unsafe`: a leaf looks at what is current through a pointer of this thread, and nothing that the
//! borrow checker can follow costs as little (`benches/src/bin/call-cost.rs`).
//!
//! # Invariants
//! 1. A context is current exactly while its scope polls or drops what it holds, also when that panics: the thread
//!    points at it meanwhile. Nothing is cloned for it.
//! 2. Scopes and frames nest: leaving one makes the outer one current again.
//! 3. Whatever a pointer here points at lives in the call of [`poll_scope`], [`borrow`] or [`poll_branch`] that put it
//!    here, which takes it away before it returns or unwinds. A frame points at one further up the stack.
//! 4. `news` says whether a leaf has more to look at than what it awaits: it is [`QUIET`] in most polls. Whenever it is
//!    not, `left` is one, so that a leaf has one number to look at.
//! 5. `asked` is what [`ends`] counted before all enders of the current context were last looked at, none of which had ended.
//!    As long as it counts the same, only the nearest can have ended since.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use crate::cause::Cancelled;
use crate::ctx::Ctx;
use crate::end::count::ends;
use crate::end::record::{self, Word};
use crate::run::frame::{FrameKind, Holds, JoinId};
use crate::run::wait::Registration;
use crate::sync::thread_local;

mod news;

pub(crate) use news::{
    counts_a_leaf, has_news, is_refused, is_unsettled, polls_a_leaf, refuse, seen, unsettle,
};

thread_local! {
    static HERE: Here = const {
        Here {
            scope: Cell::new(ptr::null()),
            end: Cell::new(&raw const record::NEVER),
            frame: Cell::new(ptr::null()),
            news: Cell::new(QUIET),
            left: Cell::new(POLLS),
            asked: Cell::new(NEVER),
        }
    };
}

/// In one place: the address of a thread's variable takes an instruction.
struct Here {
    scope: Cell<*const Running>,
    /// The nearest end of the current context: each leaf looks at it.
    end: Cell<*const Word>,
    frame: Cell<*const Frame>,
    /// Invariant 4.
    news: Cell<u8>,
    /// How many polls of leaves are left before one looks at the clock, or at the news (invariant 4).
    left: Cell<u32>,
    /// Invariant 5.
    asked: Cell<u64>,
}

/// This thread's. As a reference and not through a closure, whose parts `LocalKey::with` would move for each poll of a scope.
#[inline(always)]
#[expect(unsafe_code, reason = "as fast as a static")]
fn here<'a>() -> &'a Here {
    // SAFETY: it has no destructor, so it lives as long as the thread, which a reference to what is not `Sync` cannot leave.
    unsafe { &*HERE.with(ptr::from_ref) }
}

/// Code that never waits would else never see a deadline (3.2.14).
const POLLS: u32 = 64;

/// What [`ends`] never counts.
const NEVER: u64 = u64::MAX;

const QUIET: u8 = 0;
/// The scope knew of its end before it polled what is inside: what stays pending may be given up.
const SEEN: u8 = 1;
/// The leaf that is polled next was made after the end, and does not begin.
const REFUSED: u8 = 2;
/// A scope inside has ended and was not given up, since not all were told of that: nothing around is given up in this poll.
const UNSETTLED: u8 = 4;

/// A scope, while it polls or drops what it holds.
struct Running {
    ctx: *const Ctx,
    /// The one that it is polled with; null where it drops, and in blocking code.
    waker: *const Waker,
    /// How it waits for the end, which scopes inside may share: a part of the scope.
    registration: *const Cell<Option<Arc<Registration>>>,
    /// The scope around.
    above: *const Running,
    /// Whether this one may wait as that one does.
    covered: bool,
}

/// A scope or a branch, while it is polled.
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    above: *const Frame,
    /// A part of the scope, or of the branch.
    holds: *const Cell<Option<Arc<Holds>>>,
}

impl Frame {
    #[expect(unsafe_code, reason = "invariant 3")]
    pub(super) fn holds(&self) -> &Cell<Option<Arc<Holds>>> {
        // SAFETY: the call that the frame lives in borrows it as long.
        unsafe { &*self.holds }
    }
}

/// What a scope keeps from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) registration: Option<Arc<Registration>>,
    pub(crate) holds: Option<Arc<Holds>>,
}

/// What a scope found as it was polled.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    /// The nearest end of its context.
    pub(crate) end: &'a Word,
    /// Whether it may wait as the scope around does.
    pub(crate) covered: bool,
    /// Whether its context has ended.
    pub(crate) ended: bool,
    /// Whether all that wait know of the end too: what is pending may be given up.
    pub(crate) seen: bool,
    /// What [`ends`] counted before it looked.
    pub(crate) asked: u64,
}

/// Polls what a scope of `ctx` holds.
#[inline]
pub(crate) fn poll_scope<R>(
    ctx: &Ctx,
    waker: &Waker,
    kind: FrameKind,
    Found { end, covered, ended, seen, asked }: Found<'_>,
    kept: &mut Kept,
    f: impl FnOnce() -> R,
) -> R {
    let here = here();
    let running = Running {
        ctx,
        waker,
        registration: Cell::from_mut(&mut kept.registration),
        above: here.scope.get(),
        covered,
    };
    let holds = Cell::from_mut(&mut kept.holds);
    let frame = Frame { kind, above: here.frame.get(), holds };
    let news = if seen { SEEN } else { QUIET };
    let asked = if ended { NEVER } else { asked };
    let _outer = Outer::enter(here, &running, end, &frame, news, asked);
    f()
}

/// Drops what a scope of `ctx` holds, or runs blocking code: no frame is around that.
#[inline]
pub(crate) fn borrow<R>(ctx: &Ctx, f: impl FnOnce() -> R) -> R {
    let here = here();
    let registration = Cell::new(None);
    let running = Running {
        ctx,
        waker: ptr::null(),
        registration: &raw const registration,
        above: here.scope.get(),
        covered: false,
    };
    let end = ctx.header().nearest_end();
    let _outer = Outer::enter(here, &running, end, ptr::null(), QUIET, NEVER);
    f()
}

/// Runs `f` as if nothing were current: what it polls is neither part of the scope around nor holds it.
pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
    HERE.with(|here| {
        let _outer =
            Outer::enter(here, ptr::null(), &raw const record::NEVER, ptr::null(), QUIET, NEVER);
        f()
    })
}

/// Polls a branch of a `join!` or `select!`.
#[inline]
pub(crate) fn poll_branch<R>(
    join: JoinId,
    holds: &mut Option<Arc<Holds>>,
    f: impl FnOnce() -> R,
) -> R {
    let here = here();
    let (kind, above) = (FrameKind::Branch(join), here.frame.get());
    let frame = Frame { kind, above, holds: Cell::from_mut(holds) };
    let (scope, end, asked) = (here.scope.get(), here.end.get(), here.asked.get());
    let _outer = Outer::enter(here, scope, end, &frame, here.news.get(), asked);
    f()
}

/// What was current before; dropped, in the order that invariant 3 needs, it is so again.
struct Outer<'a> {
    here: &'a Here,
    scope: *const Running,
    end: *const Word,
    frame: *const Frame,
    news: u8,
    left: u32,
    asked: u64,
}

impl<'a> Outer<'a> {
    #[inline]
    fn enter(
        here: &'a Here,
        scope: *const Running,
        end: *const Word,
        frame: *const Frame,
        news: u8,
        asked: u64,
    ) -> Self {
        let left = here.left.get();
        if news != QUIET {
            here.left.set(1);
        }
        Outer {
            here,
            left,
            asked: here.asked.replace(asked),
            scope: here.scope.replace(scope),
            end: here.end.replace(end),
            frame: here.frame.replace(frame),
            news: here.news.replace(news),
        }
    }
}

impl Outer<'_> {
    /// What was counted inside counts here, unless it was the news that it was about (invariant 4).
    #[cold]
    fn with_news(&self, inside: u8) {
        self.here.left.set(if self.news == QUIET { self.left } else { 1 });
        if inside & UNSETTLED != 0 {
            unsettle();
        }
    }
}

impl Drop for Outer<'_> {
    fn drop(&mut self) {
        self.here.scope.set(self.scope);
        self.here.end.set(self.end);
        self.here.frame.set(self.frame);
        self.here.asked.set(self.asked);
        let inside = self.here.news.replace(self.news);
        if inside | self.news != QUIET {
            self.with_news(inside);
        }
    }
}

#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
fn with_scope<R>(f: impl FnOnce(&Running) -> R) -> Option<R> {
    let scope = here().scope.get();
    // SAFETY: null, or what a call further up the stack of this thread holds (invariant 3). That call does not end
    // before `f` does, and `f` cannot keep the reference.
    unsafe { scope.as_ref() }.map(f)
}

/// Runs `f` on the current context, if one is.
#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
pub(crate) fn with<R>(f: impl FnOnce(&Ctx) -> R) -> Option<R> {
    // SAFETY: the call that `running` lives in borrows the context as long.
    with_scope(|running| f(unsafe { &*running.ctx }))
}

/// Goes up the frames, from the one of the code at hand, as long as `f` says so.
#[cold]
#[expect(unsafe_code, reason = "invariant 3")]
pub(super) fn go_up(mut f: impl FnMut(&Frame) -> bool) {
    let mut at = here().frame.get();
    // SAFETY: as in `with_scope`, for each of them.
    while let Some(frame) = unsafe { at.as_ref() } {
        if !f(frame) {
            return;
        }
        at = frame.above;
    }
}

#[expect(unsafe_code, reason = "invariant 3")]
fn look_at_the_clock() {
    let mut at = here().scope.get();
    // Of all scopes: each 64th leaf may always be the same one, under a context of its own.
    // SAFETY: as in `with_scope`, for each of them.
    while let Some(running) = unsafe { at.as_ref() } {
        let ctx = unsafe { &*running.ctx };
        ctx.expire_if_due();
        at = running.above;
    }
}

/// Whether the scope that is being polled is polled with `waker`, and ends with `ctx`: then one inside can wait as it
/// does.
#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
pub(crate) fn covers(ctx: &Ctx, waker: &Waker) -> bool {
    with_scope(|running| {
        // SAFETY: null, or what the call that `running` lives in borrows as long; that borrows the context too.
        unsafe { running.waker.as_ref() }.is_some_and(|outer| outer.will_wake(waker))
            && unsafe { &*running.ctx }.same_end(ctx)
    })
    .unwrap_or(false)
}

/// The registration of the scope that is being polled, or of the outermost one that waits as that does; made by `make` if
/// there is none.
#[expect(unsafe_code, reason = "invariant 3")]
pub(crate) fn share(make: impl FnOnce() -> Option<Arc<Registration>>) -> Option<Arc<Registration>> {
    with_scope(|mut running| {
        // SAFETY: null, or further up the stack (invariant 3).
        while running.covered
            && let Some(outer) = unsafe { running.above.as_ref() }
        {
            running = outer;
        }
        // SAFETY: the call that `running` lives in borrows it as long.
        let shared = unsafe { &*running.registration };
        let registration = shared.take().or_else(make);
        shared.set(registration.clone());
        registration
    })
    .flatten()
}

/// The current context, where that descends from `ctx`.
pub(crate) fn narrower(ctx: &Ctx) -> Option<Ctx> {
    with(|current| current.descends_from(ctx).then(|| current.clone())).flatten()
}

/// Whether a context is current.
pub(crate) fn is_set() -> bool {
    !here().scope.get().is_null()
}

/// Whether the end of the current context was recorded.
#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
pub(crate) fn ended() -> bool {
    HERE.with(|here| {
        // SAFETY: a static, or kept by the current context, which a call further up the stack borrows.
        let nearest = unsafe { &*here.end.get() };
        // Invariant 5.
        nearest.is_set() || here.asked.get() != ends() && one_above_ended(here)
    })
}

#[cold]
#[inline(never)]
fn one_above_ended(here: &Here) -> bool {
    let asked = ends();
    let ended = with(Ctx::ended).unwrap_or(false);
    if !ended {
        here.asked.set(asked);
    }
    ended
}

/// The error that tells the end of the current context, if that was recorded.
pub(crate) fn recorded_end() -> Option<Cancelled> {
    with(Ctx::recorded_end).flatten()
}

/// Run under miri by the gate, where it is installed.
#[cfg(test)]
mod tests;
