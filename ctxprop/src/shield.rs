//! Shields: work that runs to completion although its context has ended. [`Ctx::shield`].
//!
//! The end of a context drops what is pending, and must not drop what holds an active shield. Whoever may
//! drop something keeps a [`Seen`]: all shields that were pending in a poll of it. How they hear of each other:
//! a shield that is polled and stays pending puts itself on a list of this thread, and what encloses it
//! reads the list's new end after its own poll.
//!
//! # Invariants
//! 1. A shield is active from its first pending poll until it is done, dropped or out of time; its context
//!    has ended exactly when it is not.
//! 2. `Seen` remembers shields across polls, since a poll need not reach every pending future inside
//!    (`FuturesUnordered` polls what was woken). Whoever waits for one that was not polled inside it leaves a waker
//!    with that shield.
//! 3. The list is as it was whenever an async scope is left that is in no other: it keeps nothing alive.
//! 4. A leaf that is ready hands the active shields it saw over to the next leaf that starts, which is the next
//!    one of the same function: they are in a variable there (`while let Some(..) = unordered.next().await`).

use std::cell::{Cell, RefCell};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::cause::{Cancelled, Cause};
use crate::context::deadline::Deadline;
use crate::context::header::Additions;
use crate::ctx::Ctx;
use crate::current;
use crate::end::Keys;
use crate::needs_ctx::Awaitable;
use crate::scope::Run;

thread_local! {
    static LIST: RefCell<List> = const { RefCell::new(List { pending: Vec::new(), handed: Vec::new() }) };
    /// Where the list ends: apart, because reading it is all that most polls do.
    static MARK: Cell<Mark> = const { Cell::new(Mark(0)) };
}

struct List {
    /// What was found pending by the async scopes that are being polled.
    pending: Vec<Pending>,
    /// What the leaf that was ready last had seen (invariant 4).
    handed: Vec<Held>,
}

enum Pending {
    Shield(Ctx),
    /// A `select!` that takes the end at its next poll, and asked for that.
    Unwinding,
}

/// How long the list of what is pending is, doubled, and one more where something is handed over: both in one word,
/// because every poll compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(usize);

impl Mark {
    fn of(list: &List) -> Mark {
        Mark(list.pending.len() * 2 + usize::from(!list.handed.is_empty()))
    }

    fn pending(self) -> usize {
        self.0 / 2
    }

    fn hands_over(self) -> bool {
        self.0 % 2 == 1
    }
}

/// Where the list ends now.
#[inline]
pub(crate) fn mark() -> Mark {
    MARK.get()
}

/// Changes the list and notes where it ends. What comes out of it is dropped with the list unborrowed.
fn with_list<R>(f: impl FnOnce(&mut List) -> R) -> Option<R> {
    let change = |list: &RefCell<List>| {
        let mut list = list.borrow_mut();
        let result = f(&mut list);
        MARK.set(Mark::of(&list));
        result
    };
    LIST.try_with(change).ok()
}

fn report(pending: Pending) {
    // What is polled outside of async scopes is held by none.
    if current::polls_a_scope() {
        with_list(|list| list.pending.push(pending));
    }
}

/// Has everything around wait for one more poll: what says so takes the end then.
#[cold]
pub(crate) fn unwinds_next(waker: &Waker) {
    report(Pending::Unwinding);
    waker.wake_by_ref();
}

/// Takes off the list what has come since `mark`: what is pending, and what was handed over to no leaf.
#[inline]
pub(crate) fn forget_since(mark: Mark) {
    if MARK.get() != mark {
        forget(mark);
    }
}

#[cold]
fn forget(mark: Mark) {
    let gone = with_list(|list| {
        let pending = list.pending.split_off(mark.pending().min(list.pending.len()));
        // In an executor inside a scope: that of the function around it stays.
        let handed = if mark.hands_over() { Vec::new() } else { std::mem::take(&mut list.handed) };
        (pending, handed)
    });
    drop(gone);
}

/// Whether the leaf that was ready last had seen a shield that is still active.
#[cold]
pub(crate) fn handed_is_active() -> bool {
    // Looking at the clock may end a shield, which wakes whoever waits for it: with the list unborrowed.
    let mut handed = with_list(|list| std::mem::take(&mut list.handed)).unwrap_or_default();
    handed.retain(Held::is_active);
    let any = !handed.is_empty();
    with_list(|list| list.handed = handed);
    any
}

/// The shields that were seen pending inside a future.
#[derive(Debug, Default)]
#[allow(clippy::box_collection, reason = "one word in every leaf, not three, and hardly ever used")]
pub(crate) struct Seen(Option<Box<Vec<Held>>>);

/// A shield that holds what it is in.
#[derive(Debug)]
struct Held {
    shield: Ctx,
    /// Whether it was polled inside in the last poll, so that its own waker leads here.
    polled: bool,
    /// The places of our waker, if we left one with it.
    keys: Keys,
}

impl Held {
    fn new(shield: &Ctx) -> Held {
        Held { shield: shield.clone(), polled: true, keys: Keys::new() }
    }

    /// Looks at the clock: nobody may be polling it.
    fn is_active(&self) -> bool {
        !self.shield.is_done()
    }

    /// Whether it is active; if so, `waker` is woken when that is over.
    fn holds(&mut self, waker: &Waker) -> bool {
        let registered = |held: &mut Held| {
            held.shield.unregister(&mut held.keys);
            held.shield.register(waker, &mut held.keys)
        };
        self.is_active() && (self.polled || registered(self))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shield.unregister(&mut self.keys);
    }
}

impl Seen {
    /// Adds those that were reported since `mark` was taken. True where a `select!` inside takes the end at its next
    /// poll.
    #[inline]
    pub(crate) fn remember_since(&mut self, mark: Mark) -> bool {
        (MARK.get() != mark || self.0.is_some()) && self.add(mark)
    }

    #[cold]
    fn add(&mut self, mark: Mark) -> bool {
        let mut seen = self.0.take().map_or_else(Vec::new, |seen| *seen);
        seen.retain(Held::is_active);
        seen.iter_mut().for_each(|held| held.polled = false);
        let mut unwinding = false;
        with_list(|list| {
            for pending in list.pending.iter().skip(mark.pending()) {
                let Pending::Shield(shield) = pending else {
                    unwinding = true;
                    continue;
                };
                match seen.iter_mut().find(|held| held.shield.is(shield)) {
                    Some(known) => known.polled = true,
                    None => seen.push(Held::new(shield)),
                }
            }
        });
        self.0 = (!seen.is_empty()).then(|| Box::new(seen));
        unwinding
    }

    /// Takes over what the leaf before had seen (invariant 4).
    #[cold]
    pub(crate) fn inherit(&mut self) {
        current::heard();
        let handed = with_list(|list| std::mem::take(&mut list.handed)).unwrap_or_default();
        if !handed.is_empty() {
            self.0.get_or_insert_default().extend(handed);
        }
    }

    /// Hands what is active over to the next leaf (invariant 4), with what was reported since `mark` was taken.
    #[inline]
    pub(crate) fn hand_over_since(&mut self, mark: Mark) {
        if MARK.get() != mark {
            self.add(mark);
        }
        if self.0.is_some() {
            self.hand_over();
        }
    }

    #[cold]
    fn hand_over(&mut self) {
        hand_over(self.0.take().map_or_else(Vec::new, |seen| *seen));
    }

    /// The same, where this one may go on.
    pub(crate) fn lend_since(&mut self, mark: Mark) {
        self.remember_since(mark);
        if let Some(seen) = &self.0 {
            hand_over(seen.iter().map(|held| Held::new(&held.shield)).collect());
        }
    }

    /// Whether one of them is active.
    #[inline]
    pub(crate) fn any_active(&self) -> bool {
        self.0.as_ref().is_some_and(|seen| seen.iter().any(Held::is_active))
    }

    /// Whether one of them is active; if so, `waker` is woken when that may be over.
    #[inline]
    pub(crate) fn hold(&mut self, waker: &Waker) -> bool {
        self.0.as_mut().is_some_and(|seen| seen.iter_mut().any(|held| held.holds(waker)))
    }
}

#[cold]
fn hand_over(mut seen: Vec<Held>) {
    seen.retain(Held::is_active);
    if current::polls_a_scope() && !seen.is_empty() {
        current::alert();
        drop(with_list(|list| std::mem::replace(&mut list.handed, seen)));
    }
}

/// Work that runs to completion although its context has ended: see [`Ctx::shield`]. It starts when it is
/// awaited.
#[derive(Debug)]
#[must_use = "a shield does nothing unless awaited"]
pub struct Shield<F> {
    parent: Ctx,
    limit: Duration,
    future: F,
}

impl<F: Future> IntoFuture for Shield<F> {
    type Output = Result<F::Output, Cancelled>;
    type IntoFuture = Shielding<F>;

    fn into_future(self) -> Shielding<F> {
        let add = Additions {
            cancellable: true,
            deadline: Deadline::after(self.limit),
            ..Additions::default()
        };
        let ctx = self.parent.detached_child(add, "shield");
        Shielding { work: ctx.run(self.future), ctx }
    }
}

pin_project! {
    /// The future of a [`Shield`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Shielding<F> {
        ctx: Ctx,
        #[pin]
        work: Run<F>,
    }

    impl<F> PinnedDrop for Shielding<F> {
        fn drop(this: Pin<&mut Self>) {
            this.ctx.end_with(&Cause::Finished);
        }
    }
}

impl<F: Future> Future for Shielding<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.work.poll(cx);
        match &polled {
            Poll::Ready(_) => this.ctx.end_with(&Cause::Finished),
            Poll::Pending => report(Pending::Shield(this.ctx.clone())),
        }
        polled
    }
}

impl Ctx {
    /// Runs `work` to completion although this context has ended or ends meanwhile, for at most `limit` from
    /// the moment it is awaited: to release what was reserved, to write what must be written.
    ///
    /// Awaiting it is no cancellation point, and everything around it waits for it: no leaf, [`run`](Ctx::run),
    /// task or server layer gives up a future that has an active shield inside. `work` runs under a context of its
    /// own, with the values, the span and the baggage of this one and `limit` as its deadline.
    ///
    /// It is known to what polls it. A shield in another task keeps that task, and not who waits for it: a task of
    /// [`spawn`](Ctx::spawn) goes on then, and those of a `JoinSet` are aborted with the set.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] with [`Cause::DeadlineExceeded`] when `limit` has passed; `work` was then given the
    /// chance to unwind, and dropped.
    ///
    /// # Panics
    ///
    /// When it has to wait in a runtime without timers (`enable_time`).
    ///
    /// # Cancel safety
    ///
    /// It protects from the end of the context only. Who drops it by hand, or in a `timeout` or `select!` of a
    /// function without `#[propagate]`, drops `work`.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use ctxprop::{Background, Ctx};
    ///
    /// let (ctx, canceller) = Ctx::background().with_cancel();
    /// canceller.cancel();
    /// let released = ctx.shield(Duration::from_secs(2), async {
    ///     tokio::task::yield_now().await;
    ///     "released"
    /// });
    /// assert_eq!(released.await, Ok("released"));
    /// # });
    /// ```
    pub fn shield<F: Awaitable>(&self, limit: Duration, work: F) -> Shield<F::Future> {
        Shield { parent: self.clone(), limit, future: work.into_awaited() }
    }
}
