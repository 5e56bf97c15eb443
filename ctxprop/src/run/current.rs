//! The scope that is being polled on this thread, and the frames around what is polled.
//!
//! The one file with `unsafe`: a leaf looks at what is current through a pointer of this thread, and nothing that the
//! borrow checker can follow costs as little (`benches/src/bin/call-cost.rs`).
//!
//! # Invariants
//! 1. A context is current exactly while its scope polls or drops what it holds, also when that panics: the thread
//!    points at it meanwhile. Nothing is cloned for it.
//! 2. Scopes and frames nest: leaving one makes the outer one current again.
//! 3. Whatever a pointer here points at lives in the call of [`poll_scope`], [`borrow`] or [`poll_branch`] that put it
//!    here, which takes it away before it returns or unwinds. A frame points at one further up the stack.
//! 4. `news` says whether a leaf has more to look at than what it awaits: it is [`QUIET`] in most polls.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use tokio::time::Instant;

use crate::cause::Cancelled;
use crate::context::header::Header;
use crate::ctx::Ctx;
use crate::run::frame::{self, Held, Holding, Holds, JoinId, Kind};
use crate::run::wait::Registration;

thread_local! {
    static HERE: Here = const {
        Here {
            scope: Cell::new(ptr::null()),
            ender: Cell::new(ptr::null()),
            frame: Cell::new(ptr::null()),
            news: Cell::new(QUIET),
            polls: Cell::new(POLLS),
        }
    };
}

/// In one place: the address of a thread's variable takes an instruction.
struct Here {
    scope: Cell<*const Running>,
    /// What ends the current context, if anything can: each leaf looks at it.
    ender: Cell<*const Header>,
    frame: Cell<*const Frame>,
    /// Invariant 4.
    news: Cell<u8>,
    /// How many polls of leaves are left before one looks at the clock.
    polls: Cell<u32>,
}

/// Code that never waits would else never see a deadline (3.2.14).
const POLLS: u32 = 64;

const QUIET: u8 = 0;
/// The scope knew of its end before it polled what is inside: what stays pending may be given up.
const SEEN: u8 = 1;
/// The leaf that is polled next was made after the end, and does not begin.
const REFUSED: u8 = 2;

/// What [`Waker::will_wake`] compares. Only compared, never used as pointers.
type WakerId = (usize, usize);

const NO_WAKER: WakerId = (0, 0);

fn id(waker: &Waker) -> WakerId {
    (waker.data().addr(), ptr::from_ref(waker.vtable()).addr())
}

/// A scope, while it polls or drops what it holds.
struct Running {
    ctx: *const Ctx,
    /// The one that it is polled with; none where it drops, and in blocking code.
    waker: WakerId,
    /// How it waits for the end, which scopes inside may share.
    registration: Cell<Option<Arc<Registration>>>,
    /// The scope around.
    above: *const Running,
    /// Whether this one may wait as that one does.
    covered: bool,
}

/// A scope or a branch, while it is polled.
struct Frame {
    kind: Kind,
    above: *const Frame,
    holds: Cell<Option<Arc<Holds>>>,
}

/// What a scope keeps from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) registration: Option<Arc<Registration>>,
    pub(crate) holds: Option<Arc<Holds>>,
}

/// Polls what a scope of `ctx` holds. `covered` tells whether it may wait as the scope around does, and `seen` whether it
/// knows of the end.
#[inline]
pub(crate) fn poll_scope<R>(
    ctx: &Ctx,
    waker: &Waker,
    kind: Kind,
    covered: bool,
    seen: bool,
    kept: &mut Kept,
    f: impl FnOnce() -> R,
) -> R {
    HERE.with(|here| {
        let running = Running {
            ctx,
            waker: id(waker),
            registration: Cell::new(kept.registration.take()),
            above: here.scope.get(),
            covered,
        };
        let above = here.frame.get();
        let frame = Frame { kind, above, holds: Cell::new(kept.holds.take()) };
        let result = {
            let ender = ender_of(ctx);
            let _outer =
                Outer::enter(here, &running, ender, &frame, if seen { SEEN } else { QUIET });
            f()
        };
        kept.registration = running.registration.take();
        kept.holds = frame.holds.take();
        result
    })
}

/// Drops what a scope of `ctx` holds, or runs blocking code: no frame is around that.
#[inline]
pub(crate) fn borrow<R>(ctx: &Ctx, f: impl FnOnce() -> R) -> R {
    HERE.with(|here| {
        let registration = Cell::new(None);
        let above = here.scope.get();
        let running = Running { ctx, waker: NO_WAKER, registration, above, covered: false };
        let _outer = Outer::enter(here, &running, ender_of(ctx), ptr::null(), QUIET);
        f()
    })
}

/// Runs `f` as if nothing were current: what it polls is neither part of the scope around nor holds it.
pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
    HERE.with(|here| {
        let _outer = Outer::enter(here, ptr::null(), ptr::null(), ptr::null(), QUIET);
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
    HERE.with(|here| {
        let above = here.frame.get();
        let frame = Frame { kind: Kind::Branch(join), above, holds: Cell::new(holds.take()) };
        let result = {
            let (scope, ender) = (here.scope.get(), here.ender.get());
            let _outer = Outer::enter(here, scope, ender, &frame, here.news.get());
            f()
        };
        *holds = frame.holds.take();
        result
    })
}

/// What was current before; dropped, in the order that invariant 3 needs, it is so again.
struct Outer<'a> {
    here: &'a Here,
    scope: *const Running,
    ender: *const Header,
    frame: *const Frame,
    news: u8,
}

impl<'a> Outer<'a> {
    #[inline]
    fn enter(
        here: &'a Here,
        scope: *const Running,
        ender: *const Header,
        frame: *const Frame,
        news: u8,
    ) -> Self {
        Outer {
            here,
            scope: here.scope.replace(scope),
            ender: here.ender.replace(ender),
            frame: here.frame.replace(frame),
            news: here.news.replace(news),
        }
    }
}

impl Drop for Outer<'_> {
    fn drop(&mut self) {
        self.here.scope.set(self.scope);
        self.here.ender.set(self.ender);
        self.here.frame.set(self.frame);
        self.here.news.set(self.news);
    }
}

#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
fn with_scope<R>(f: impl FnOnce(&Running) -> R) -> Option<R> {
    let scope = HERE.with(|here| here.scope.get());
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
fn go_up(mut f: impl FnMut(&Frame) -> bool) {
    let mut at = HERE.with(|here| here.frame.get());
    // SAFETY: as in `with_scope`, for each of them.
    while let Some(frame) = unsafe { at.as_ref() } {
        if !f(frame) {
            return;
        }
        at = frame.above;
    }
}

/// Whether a leaf has more to look at than what it awaits (invariant 4).
#[inline]
pub(crate) fn has_news() -> bool {
    HERE.with(|here| here.news.get()) != QUIET
}

/// Whether the scope knew of its end before it polled what is inside.
#[inline]
pub(crate) fn seen() -> bool {
    HERE.with(|here| here.news.get()) & SEEN != 0
}

/// Whether what has not begun is to begin no more: the context has ended, by the flag and not the clock, and nothing
/// holds.
#[inline]
pub(crate) fn refuses() -> bool {
    ended() && !may_go_on(None, None, None)
}

/// The leaf that is polled next does not begin.
#[cold]
pub(crate) fn refuse() {
    HERE.with(|here| here.news.set(here.news.get() | REFUSED));
}

/// Whether the leaf that is polled is one that does not begin.
#[cold]
pub(crate) fn is_refused() -> bool {
    HERE.with(|here| here.news.replace(here.news.get() & !REFUSED) & REFUSED != 0)
}

/// Whether code at hand may go on after the end, because its frame, or one above, is held by an active shield. From a
/// branch of `join`, with `holds`, that is asked first. If so, `waker` is woken when the shield is over.
#[cold]
pub(crate) fn may_go_on(join: JoinId, holds: Option<&Arc<Holds>>, waker: Option<&Waker>) -> bool {
    let now = Instant::now();
    if holds.is_some_and(|holds| holds.is_active(None, now, waker)) {
        return true;
    }
    let (mut join, mut active) = (join, false);
    go_up(|frame| {
        if let Some(holds) = frame.holds.take() {
            active = holds.is_active(join, now, waker);
            frame.holds.set(Some(holds));
        }
        if let Kind::Branch(of) = frame.kind {
            join = of;
        }
        !active && frame.kind != Kind::Shield
    });
    active
}

/// A shield that stays pending holds all frames around it.
#[cold]
pub(crate) fn hold(holding: &mut Holding, held: impl Fn() -> Held) {
    let mut join = None;
    go_up(|frame| {
        holding.add(frame::made(&frame.holds), &held, join);
        if let Kind::Branch(of) = frame.kind {
            join = of;
        }
        true
    });
}

/// A branch of `join` is over: the shields in it belong to the frame around that from now on, as far as no other branch
/// is between (`frame.rs`, invariant 2).
#[cold]
pub(crate) fn branch_is_over(join: JoinId, holds: &Holds) {
    for held in holds.left_behind() {
        go_up(|frame| {
            if let Some(holds) = frame.holds.take() {
                holds.take_over(held, join);
                frame.holds.set(Some(holds));
            }
            !matches!(frame.kind, Kind::Branch(_))
        });
    }
}

/// Counts the polls of leaves, and now and then looks at the clock, so that the next leaf finds the end.
#[inline]
pub(crate) fn polls_a_leaf() {
    let left = HERE.with(|here| {
        here.polls.update(|left| left.wrapping_sub(1));
        here.polls.get()
    });
    if left == 0 {
        look_at_the_clock();
    }
}

#[cold]
#[inline(never)]
#[expect(unsafe_code, reason = "invariant 3")]
fn look_at_the_clock() {
    let mut at = HERE.with(|here| {
        here.polls.set(POLLS);
        here.scope.get()
    });
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
pub(crate) fn covers(ctx: &Ctx, waker: &Waker) -> bool {
    with_scope(|running| running.waker) == Some(id(waker))
        && with(|outer| outer.same_end(ctx)).unwrap_or(false)
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
        let registration = running.registration.take().or_else(make);
        running.registration.set(registration.clone());
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
    !HERE.with(|here| here.scope.get()).is_null()
}

fn ender_of(ctx: &Ctx) -> *const Header {
    ctx.header().nearest_ender().map_or(ptr::null(), ptr::from_ref)
}

/// Whether the end of the current context was recorded.
#[inline]
#[expect(unsafe_code, reason = "invariant 3")]
pub(crate) fn ended() -> bool {
    // SAFETY: null, or kept by the current context, which a call further up the stack borrows.
    unsafe { HERE.with(|here| here.ender.get()).as_ref() }.is_some_and(Header::ender_ended)
}

/// The error that tells the end of the current context, if that was recorded.
pub(crate) fn recorded_end() -> Option<Cancelled> {
    with(Ctx::recorded_end).flatten()
}
/// Run under miri by the gate, where it is installed.
#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::Waker;

    use super::{Kept, ended, has_news, is_refused, is_set, poll_scope, refuse, refuses, seen};
    use crate::run::frame::Kind;
    use crate::{Background, Ctx};

    fn polled<R>(ctx: &Ctx, seen: bool, f: impl FnOnce() -> R) -> R {
        poll_scope(ctx, Waker::noop(), Kind::Scope, false, seen, &mut Kept::default(), f)
    }

    #[test]
    fn contexts_nest_and_go_also_when_the_code_inside_panics() {
        let (outer, end_outer) = Ctx::background().with_value(1_u8).with_cancel();
        let inner = outer.with_value(2_u8).with_cancel().0;
        let value = || Ctx::current().value::<u8>().copied();
        assert!(!is_set() && !ended() && !has_news());
        outer.sync_scope(|| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                polled(&inner, true, || {
                    assert_eq!(value(), Some(2));
                    assert!(has_news() && seen());
                    panic!("inside");
                })
            }));
            assert!(panicked.is_err());
            assert_eq!(value(), Some(1));
            assert!(!has_news() && !refuses());
            end_outer.cancel();
            assert!(refuses() && ended());
        });
        assert!(!is_set() && !ended() && !has_news());
    }

    #[test]
    fn what_is_refused_is_refused_once_and_only_inside() {
        let ctx = Ctx::background().with_cancel().0;
        polled(&ctx, false, || {
            refuse();
            assert!(has_news());
            polled(&ctx, false, || assert!(!has_news(), "it is the outer scope's"));
            assert!(is_refused());
            assert!(!is_refused() && !has_news());
            refuse();
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
