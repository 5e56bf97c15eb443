//! The tree of cancellations: how the end of a context is recorded, and how it reaches every descendant.
//!
//! It knows nothing of scopes and tasks: whoever waits leaves a waker or a callback here.
//!
//! # Invariants
//! 1. A context has ended exactly when its `cause` is set. There is no second flag that could disagree
//!    with it (3.1.6).
//! 2. `cause` is set, `children` is walked and children are adopted under the node's lock, so a child
//!    either is seen by the walk or finds its parent ended (3.1.4).
//! 3. `settled` means that every descendant has its cause. Whoever finds a node ended but not settled
//!    walks it as well, so that no `cancel` returns early (3.1.2).
//! 4. `told` means that all wakers that waited for this end, here and below, were woken. A leaf gives nothing up
//!    before: what is pending inside may wait with a waker of its own whose turn has not come. Who finds the end
//!    but is not told leaves its waker again.
//! 5. Locks are taken one at a time, and nothing foreign runs under one: wakers, callbacks and the last
//!    handle of a node are woken, called and dropped after it.

mod tell;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;

use tokio::time::Instant;

use crate::cause::Cause;
use crate::ctx::node::Node;
use crate::on_done::Callbacks;
use crate::slots::Slots;
use tell::Telling;

/// What can end a node.
#[derive(Debug)]
pub(crate) enum Cancel {
    /// Nothing: no ancestor can be cancelled or has a deadline.
    Never,
    /// Its own cancellation, besides its parent's.
    Own(State),
    /// Only what ends this ancestor, whose cancel is `Own`.
    Shared(Arc<Node>),
}

/// The cancellation of one node.
#[derive(Debug)]
pub(crate) struct State {
    cause: OnceLock<Cause>,
    settled: AtomicBool,
    told: AtomicBool,
    /// The key of this node in its parent's `children`, set once as it is adopted.
    slot: AtomicUsize,
    links: Mutex<Links>,
}

/// Who hears of the end.
#[derive(Debug)]
struct Links {
    children: Slots<Weak<Node>>,
    wakers: Slots<Waker>,
    /// Few contexts have any.
    callbacks: Option<Box<Callbacks>>,
}

/// The slot of a node that no parent knows.
const NO_SLOT: usize = usize::MAX;

/// That of all that cannot end.
pub(crate) static NEVER: State = State::new();

impl State {
    pub(crate) const fn new() -> State {
        State {
            cause: OnceLock::new(),
            settled: AtomicBool::new(false),
            told: AtomicBool::new(false),
            slot: AtomicUsize::new(NO_SLOT),
            links: Mutex::new(Links {
                children: Slots::new(),
                wakers: Slots::new(),
                callbacks: None,
            }),
        }
    }

    pub(crate) fn ended_by(cause: Cause) -> State {
        State { cause: OnceLock::from(cause), ..State::new() }
    }

    /// Whether the end has come.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        self.cause.get().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        // Nothing that can panic runs under the lock (invariant 5), so its content is whole.
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The nearest node, this one included, that has a cancellation of its own.
#[inline]
pub(crate) fn owner(node: &Arc<Node>) -> Option<&Arc<Node>> {
    match &node.cancel {
        Cancel::Never => None,
        Cancel::Own(_) => Some(node),
        Cancel::Shared(owner) => Some(owner),
    }
}

/// The cancellation that governs `node`.
#[inline]
fn state(node: &Node) -> Option<&State> {
    match &node.cancel {
        Cancel::Never => None,
        Cancel::Own(state) => Some(state),
        Cancel::Shared(owner) => match &owner.cancel {
            Cancel::Own(state) => Some(state),
            _ => None,
        },
    }
}

/// The cancellation that governs `node`, or one that never ends.
#[inline]
pub(crate) fn state_of(node: &Node) -> &State {
    state(node).unwrap_or(&NEVER)
}

/// Why `node` ended, if its end was recorded. Does not look at the clock.
#[inline]
pub(crate) fn cause(node: &Node) -> Option<&Cause> {
    state(node)?.cause.get()
}

/// Whether all that waited for the end of `node` were told of it.
pub(crate) fn told(node: &Node) -> bool {
    state(node).is_none_or(|state| state.told.load(Ordering::Acquire))
}

/// Has `waker` woken once all were told of the end of `node`; false where they have been.
pub(crate) fn wait_until_told(node: &Node, waker: &Waker) -> bool {
    let Some(state) = state(node) else { return false };
    let waker = waker.clone();
    let mut links = state.lock();
    if state.told.load(Ordering::Acquire) {
        drop(links);
        return false;
    }
    links.wakers.insert(waker);
    true
}

/// Registers `child` with `parent`, or ends it with the cause that ended the parent.
pub(crate) fn adopt(parent: &Node, child: &Arc<Node>) {
    let (Some(above), Cancel::Own(own)) = (state(parent), &child.cancel) else {
        return;
    };
    let mut links = above.lock();
    match above.cause.get() {
        Some(cause) => {
            drop(links);
            // The child is not shared yet, so nobody can have set its cause.
            let _ = own.cause.set(cause.clone());
            own.settled.store(true, Ordering::Release);
            own.told.store(true, Ordering::Release);
        }
        None => {
            let slot = links.children.insert(Arc::downgrade(child));
            own.slot.store(slot, Ordering::Relaxed);
        }
    }
}

/// Takes a node that is being dropped out of its parent's children (3.1.9).
pub(crate) fn abandon(node: &mut Node) {
    let Cancel::Own(own) = &node.cancel else {
        return;
    };
    if own.slot.load(Ordering::Relaxed) == NO_SLOT {
        return;
    }
    let Some(above) = node.parent.as_deref().and_then(state) else {
        return;
    };
    let left = above.lock().children.remove(own.slot.load(Ordering::Relaxed));
    drop(left);
}

/// What a wait for the end found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The end has come.
    Ended,
    /// The waker will be woken when it comes.
    Registered,
    /// The end cannot come.
    Never,
}

/// Has `waker` woken at the end of `node`; `key` is the caller's place among the wakers.
pub(crate) fn register(node: &Node, key: &mut Option<usize>, waker: &Waker) -> Wait {
    let Some(state) = state(node) else {
        return Wait::Never;
    };
    let mut waker = waker.clone();
    let mut links = state.lock();
    if state.cause.get().is_some() {
        *key = None;
        return Wait::Ended;
    }
    match key.and_then(|key| links.wakers.get_mut(key)) {
        // The old waker leaves with the clone, after the lock (invariant 5).
        Some(place) => std::mem::swap(place, &mut waker),
        None => {
            *key = Some(links.wakers.insert(waker));
            return Wait::Registered;
        }
    }
    drop(links);
    drop(waker);
    Wait::Registered
}

/// Takes the waker under `key` back.
pub(crate) fn unregister(node: &Node, key: usize) {
    let Some(state) = state(node) else { return };
    let waker = state.lock().wakers.remove(key);
    drop(waker);
}

/// Runs `f` on the callbacks that wait for the end of `node`, with the cause if that has come; `None` where it cannot
/// come. What `f` gives back is dropped, woken and called outside of the lock (invariant 5).
pub(crate) fn with_callbacks<R>(
    node: &Node,
    f: impl FnOnce(&mut Option<Box<Callbacks>>, Option<&Cause>) -> R,
) -> Option<R> {
    let state = state(node)?;
    Some(f(&mut state.lock().callbacks, state.cause.get()))
}

/// Ends the topmost ancestor of `node` whose deadline has passed by `now`, and so `node`.
#[cold]
pub(crate) fn expire(node: &Arc<Node>, now: Instant) {
    let past = |node: &&Arc<Node>| node.deadline.is_some_and(|deadline| deadline.at <= now);
    let Some(mut top) = owner(node).filter(past) else {
        return;
    };
    while let Some(above) = above(top).filter(past) {
        top = above;
    }
    end_by(top, &Cause::DeadlineExceeded, now);
}

/// How many live owners are registered with `node`.
pub(crate) fn children(node: &Node) -> usize {
    state(node).map_or(0, |state| state.lock().children.iter().count())
}

/// The owner that `node`, itself an owner, is registered with.
fn above(node: &Arc<Node>) -> Option<&Arc<Node>> {
    if node.detached.is_some() { None } else { node.parent.as_ref().and_then(owner) }
}

/// Ends `node` and all its descendants. The first cause stays; a deadline that has passed came first.
pub(crate) fn end(node: &Arc<Node>, cause: &Cause) {
    end_by(node, cause, Instant::now());
}

fn end_by(top: &Arc<Node>, cause: &Cause, now: Instant) {
    let mut below = Vec::new();
    let mut waiting = Vec::new();
    let struck = strike(top, cause, now, &mut below, &mut waiting);
    let mut next = 0;
    while let Some((node, _)) = below.get(next) {
        let node = Arc::clone(node);
        // That of its parent, which may have ended before and with another than `cause` (3.1.3).
        let inherited = above(&node).and_then(|parent| self::cause(parent)).unwrap_or(cause);
        let struck = strike(&node, inherited, now, &mut below, &mut waiting);
        if let Some((_, was_struck)) = below.get_mut(next) {
            *was_struck = struck;
        }
        next += 1;
    }
    for node in below.iter().map(|(node, _)| node).chain([top]) {
        if let Cancel::Own(state) = &node.cancel {
            state.settled.store(true, Ordering::Release);
        }
    }
    let telling = Telling { top: (top, struck), below: &below };
    // From here on the tree is done, and foreign code may run (invariant 5).
    let mut panicked = None;
    for waker in waiting.iter_mut().flat_map(|waiting| waiting.wakers.take().into_items()) {
        // A waker that panics keeps nobody else from hearing of the end.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panicked = Some(panic);
        }
    }
    drop(telling);
    for waiting in waiting {
        if let Some(callbacks) = waiting.callbacks {
            callbacks.dispatch(&waiting.cause);
        }
    }
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
}

/// All that wait for the end of one node, and why it came.
struct Waiting {
    wakers: Slots<Waker>,
    callbacks: Option<Box<Callbacks>>,
    cause: Cause,
}

/// Ends one node: sets its cause, if it has none, which it tells, and collects its children and those that wait.
fn strike(
    node: &Arc<Node>,
    cause: &Cause,
    now: Instant,
    below: &mut Vec<(Arc<Node>, bool)>,
    waiting: &mut Vec<Waiting>,
) -> bool {
    let Cancel::Own(state) = &node.cancel else {
        return false;
    };
    if state.settled.load(Ordering::Acquire) {
        return false;
    }
    let mut links = state.lock();
    let first = state.cause.get().is_none();
    if first {
        let expired = node.deadline.is_some_and(|deadline| deadline.at <= now);
        let cause = if expired { Cause::DeadlineExceeded } else { cause.clone() };
        let _ = state.cause.set(cause.clone());
        let (wakers, callbacks) = (links.wakers.take(), links.callbacks.take());
        if !wakers.is_empty() || callbacks.is_some() {
            waiting.push(Waiting { wakers, callbacks, cause });
        }
    }
    below.extend(links.children.iter().filter_map(Weak::upgrade).map(|child| (child, false)));
    first
}
