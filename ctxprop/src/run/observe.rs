//! Who is told of each await: where it is made, of each of its polls, and of its end; and of contexts, scopes, tasks and
//! shields. On it stand `testing`, which ends a context at each await in turn, and `ctxprop-live`, which shows what each request
//! waits for. Not public API.
//!
//! # What an observer may rely on
//! 1. It is called on the thread on which it happens, in the middle of it. [`Ctx::try_current`] is the context of the code.
//! 2. It may end contexts. That wakes tasks and runs callbacks, which may tell it more: it holds no lock and no borrow
//!    meanwhile.
//! 3. A leaf is told to be [made](Event::Made) before it is decided whether it begins: who ends the context there, has it
//!    refused. Who ends it as the poll of a leaf ends pending, ends it in the middle of that leaf.
//! 4. [`PollBegins`](Event::PollBegins) and [`PollEnds`](Event::PollEnds) of one thread nest, also where code panics. What is
//!    made between them has that one as its [parent](Made::parent): that is the chain of awaits.
//! 5. An [`Id`] is never given again. A [`CtxId`] is that of no other context until its [`CtxGone`](Event::CtxGone).
//! 6. One that is installed late is told of what is there when that is polled for the next time.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::cause::Cause;
use crate::context::observed::{self, TELL, Told};
use crate::ctx::Ctx;
pub use crate::run::watch::{ObservedKind, Outcome};

/// Tells a leaf, a scope or a task from all others of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(NonZeroU64);

impl Id {
    pub(crate) fn new(id: NonZeroU64) -> Id {
        Id(id)
    }

    /// Greater than that of whatever the same thread told before.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// Tells a live context from all other live ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CtxId(usize);

impl CtxId {
    pub fn of(ctx: &Ctx) -> CtxId {
        CtxId(observed::id(ctx))
    }

    /// For those who spread them.
    pub fn get(self) -> usize {
        self.0
    }
}

/// The parent of a context.
pub fn parent(ctx: &Ctx) -> Option<Ctx> {
    observed::parent(ctx)
}

/// Where a context was made.
pub fn place(ctx: &Ctx) -> &'static Location<'static> {
    observed::origin(ctx)
}

/// Why it was detached from what is above, if it was: the nearest such reason.
pub fn detached(ctx: &Ctx) -> Option<&'static str> {
    observed::detached(ctx)
}

/// What its deadline granted as it was set.
pub fn granted(ctx: &Ctx) -> Option<Duration> {
    ctx.budget()
}

/// Whether its end was recorded: no look at the clock.
pub fn has_ended(ctx: &Ctx) -> bool {
    ctx.ended()
}

/// How a context ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct End {
    pub cause: Cause,
    pub at: Instant,
    /// Of a deadline, where that was set; else where somebody ended it by hand, if an observer was installed by then.
    pub place: Option<&'static Location<'static>>,
}

/// How it ended, if that was recorded.
pub fn end(ctx: &Ctx) -> Option<End> {
    let (cause, at, place) = observed::end(ctx)?;
    Some(End { cause, at, place })
}

/// What is being polled on this thread.
pub fn current() -> Option<Id> {
    crate::run::watch::current()
}

/// Something that was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Made<'a> {
    pub id: Id,
    pub kind: ObservedKind,
    /// Of an await, that; of all else, where it is called for.
    pub place: &'static Location<'static>,
    /// What was being polled. Of a task: what spawned it.
    pub parent: Option<Id>,
    /// The name of the type that it polls. Of an `async fn` that is the path of the function, with `::{{closure}}` behind
    /// it: see [`function`].
    pub awaits: &'static str,
    /// The context that it runs under.
    pub ctx: Option<&'a Ctx>,
    /// The name of a request.
    pub name: Option<&'a str>,
}

/// What an observer is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    Made(&'a Made<'a>),
    /// It is polled, in the poll of `within`: parts of a join are made before the join, and polled in it.
    PollBegins {
        id: Id,
        within: Option<Id>,
        /// As it was [made](Made): who keeps nothing of what was made finds it here.
        kind: ObservedKind,
        place: &'static Location<'static>,
        awaits: fn() -> &'static str,
        /// Of a scope, its context.
        ctx: Option<&'a Ctx>,
    },
    PollEnds {
        id: Id,
        outcome: Outcome,
    },
    /// It was dropped: ready or not.
    Gone {
        id: Id,
        kind: ObservedKind,
    },
    CtxMade {
        ctx: &'a Ctx,
        place: &'static Location<'static>,
    },
    /// Somebody ends it by hand, at this place. It may have ended before.
    CtxCancelled {
        ctx: CtxId,
        place: &'static Location<'static>,
    },
    /// Its last handle was dropped.
    CtxGone {
        ctx: CtxId,
    },
}

/// Is told.
pub trait Observer: Send + Sync {
    fn told(&self, event: &Event<'_>);
}

static EVERYWHERE: OnceLock<&'static dyn Observer> = OnceLock::new();
static EVERYWHERE_IS_ON: AtomicBool = AtomicBool::new(false);

thread_local! {
    static HERE: RefCell<Option<Arc<dyn Observer>>> = const { RefCell::new(None) };
}

fn begin() {
    TELL.get_or_init(|| tell_of_context);
    observed::switch(true);
}

/// Has `observer` told of what happens on all threads. There is one such observer in a process: false where there is
/// another.
pub fn everywhere(observer: &'static dyn Observer) -> bool {
    let known = *EVERYWHERE.get_or_init(|| observer);
    if !std::ptr::addr_eq(known, observer) {
        return false;
    }
    if !EVERYWHERE_IS_ON.swap(true, Relaxed) {
        begin();
    }
    true
}

/// Tells that one nothing more.
pub fn nowhere() {
    if EVERYWHERE_IS_ON.swap(false, Relaxed) {
        observed::switch(false);
    }
}

/// Has `observer` told of what happens on this thread, in place of the one that was, as long as the guard lives.
#[must_use = "it is told as long as this lives"]
pub fn here(observer: Arc<dyn Observer>) -> Here {
    begin();
    let before = HERE.with(|here| here.replace(Some(observer)));
    Here { before, of_one_thread: PhantomData }
}

/// An observer of one thread.
pub struct Here {
    before: Option<Arc<dyn Observer>>,
    of_one_thread: PhantomData<*const ()>,
}

impl Drop for Here {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = HERE.try_with(|here| here.replace(before));
        observed::switch(false);
    }
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").finish_non_exhaustive()
    }
}

/// Tells all observers.
#[cold]
pub(crate) fn tell(event: &Event<'_>) {
    // Cloned: it may be told of more meanwhile.
    if let Some(here) = HERE.try_with(|here| here.borrow().clone()).ok().flatten() {
        here.told(event);
    }
    if EVERYWHERE_IS_ON.load(Relaxed)
        && let Some(everywhere) = EVERYWHERE.get()
    {
        everywhere.told(event);
    }
}

fn tell_of_context(told: Told<'_>) {
    match told {
        Told::Made(ctx) => tell(&Event::CtxMade { ctx, place: place(ctx) }),
        Told::Cancelled(id, place) => tell(&Event::CtxCancelled { ctx: CtxId(id), place }),
        Told::Gone(id) => tell(&Event::CtxGone { ctx: CtxId(id) }),
    }
}

/// The path of the function that a type belongs to, as in `shop::stock::reserve`, where the name of the type says so.
pub fn function(awaits: &str) -> Option<&str> {
    let end = awaits.find("::{{closure}}")?;
    let path = &awaits[..end];
    // In a wrapper, such as `Pin<Box<..>>` or a scope.
    path.rfind(['<', ' ', '&', '(']).map_or(Some(path), |at| path.get(at + 1..))
}
