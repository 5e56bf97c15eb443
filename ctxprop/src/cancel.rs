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
//! 4. Locks are taken one at a time, and nothing foreign runs under one: wakers, callbacks and the last
//!    handle of a node are woken, called and dropped after it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;

use tokio::time::Instant;

use crate::cause::Cause;
use crate::ctx::Ctx;
use crate::ctx::node::{Additions, Link, Node};
use crate::on_done::Callback;
use crate::slots::Slots;

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
    /// The key of this node in its parent's `children`; changed only under the parent's lock.
    slot: AtomicUsize,
    links: Mutex<Links>,
}

/// Who hears of the end.
#[derive(Debug, Default)]
struct Links {
    children: Slots<Weak<Node>>,
    wakers: Slots<Waker>,
    callbacks: Slots<Callback>,
}

/// The slot of a node that no parent knows.
const NO_SLOT: usize = usize::MAX;

impl State {
    pub(crate) fn new() -> State {
        State {
            cause: OnceLock::new(),
            settled: AtomicBool::new(false),
            slot: AtomicUsize::new(NO_SLOT),
            links: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        // Nothing that can panic runs under the lock (invariant 4), so its content is whole.
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

/// Why `node` ended, if its end was recorded. Does not look at the clock.
#[inline]
pub(crate) fn cause(node: &Node) -> Option<&Cause> {
    state(node)?.cause.get()
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
    let mut moved = Vec::new();
    let mut links = above.lock();
    let left = links.children.remove(own.slot.load(Ordering::Relaxed));
    links.children.compact(|child, to| match child.upgrade() {
        Some(child) => {
            if let Cancel::Own(state) = &child.cancel {
                state.slot.store(to, Ordering::Relaxed);
            }
            // It may be the last handle by now, and dropping it takes the lock we hold (invariant 4).
            moved.push(child);
            true
        }
        // It waits for this lock to take itself out under the key it has.
        None => false,
    });
    drop(links);
    drop((left, moved));
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
        // The old waker leaves with the clone, after the lock (invariant 4).
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

/// Has `callback` called at the end of `node`, or gives it back with the cause if that has come.
pub(crate) fn register_callback(
    state_of: &Node,
    callback: Callback,
) -> Result<Option<usize>, (Callback, Cause)> {
    let Some(state) = state(state_of) else {
        return Ok(None);
    };
    let mut links = state.lock();
    match state.cause.get() {
        Some(cause) => Err((callback, cause.clone())),
        None => Ok(Some(links.callbacks.insert(callback))),
    }
}

/// Takes the callback under `key` back, if it has not been called.
pub(crate) fn unregister_callback(node: &Node, key: usize) -> Option<Callback> {
    state(node)?.lock().callbacks.remove(key)
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
    let mut told = Vec::new();
    strike(top, cause, now, &mut below, &mut told);
    let mut next = 0;
    while let Some(node) = below.get(next).map(Arc::clone) {
        next += 1;
        strike(&node, cause, now, &mut below, &mut told);
    }
    for node in below.iter().chain([top]) {
        if let Cancel::Own(state) = &node.cancel {
            state.settled.store(true, Ordering::Release);
        }
    }
    // From here on the tree is done, and foreign code may run (invariant 4).
    for (wakers, callbacks, cause) in told {
        wakers.into_items().for_each(Waker::wake);
        callbacks.into_items().for_each(|callback| callback.dispatch(cause.clone()));
    }
}

type Told = (Slots<Waker>, Slots<Callback>, Cause);

/// Ends one node: sets its cause, if it has none, and collects its children and those to be told.
fn strike(
    node: &Arc<Node>,
    cause: &Cause,
    now: Instant,
    below: &mut Vec<Arc<Node>>,
    told: &mut Vec<Told>,
) {
    let Cancel::Own(state) = &node.cancel else {
        return;
    };
    if state.settled.load(Ordering::Acquire) {
        return;
    }
    let mut links = state.lock();
    if state.cause.get().is_none() {
        let expired = node.deadline.is_some_and(|deadline| deadline.at <= now);
        let cause = if expired { Cause::DeadlineExceeded } else { cause.clone() };
        let _ = state.cause.set(cause.clone());
        let (wakers, callbacks) =
            (std::mem::take(&mut links.wakers), std::mem::take(&mut links.callbacks));
        if !wakers.is_empty() || !callbacks.is_empty() {
            told.push((wakers, callbacks, cause));
        }
    }
    below.extend(links.children.iter().filter_map(Weak::upgrade));
}

/// Ends a context: the other half of [`Ctx::with_cancel`]. Clones end the same context.
///
/// Dropping it ends nothing; [`drop_guard`](Canceller::drop_guard) makes one that does.
///
/// # Examples
///
/// ```
/// use ctxprop::{Background, Cause, Ctx};
///
/// let (ctx, canceller) = Ctx::background().with_cancel();
/// let child = ctx.with_value("a child ends with its parent");
/// canceller.cancel();
/// canceller.cancel_with(Cause::Shutdown); // too late: the first cause stays
/// assert_eq!(child.cause(), Some(Cause::Cancelled));
/// ```
#[derive(Clone, Debug)]
pub struct Canceller {
    node: Arc<Node>,
}

impl Canceller {
    pub(crate) fn of(node: Arc<Node>) -> Canceller {
        Canceller { node }
    }

    /// Ends the context with [`Cause::Cancelled`]. When it returns, every descendant
    /// [`is_done`](Ctx::is_done). A second call does nothing.
    pub fn cancel(&self) {
        end(&self.node, &Cause::Cancelled);
    }

    /// Ends the context with `cause`: a [`Cause`], or any error, which becomes [`Cause::Custom`].
    pub fn cancel_with(&self, cause: impl Into<Cause>) {
        end(&self.node, &cause.into());
    }

    /// A guard that cancels when it is dropped.
    #[must_use = "a guard that is not held cancels at once"]
    pub fn drop_guard(self) -> CancelGuard {
        CancelGuard { canceller: self, armed: true }
    }
}

/// Cancels when dropped: see [`Canceller::drop_guard`].
#[derive(Debug)]
#[must_use = "a guard that is not held cancels at once"]
pub struct CancelGuard {
    canceller: Canceller,
    armed: bool,
}

impl CancelGuard {
    /// Gives the canceller back; dropping the guard ends nothing any more.
    pub fn disarm(mut self) -> Canceller {
        self.armed = false;
        self.canceller.clone()
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if self.armed {
            self.canceller.cancel();
        }
    }
}

impl Ctx {
    /// A child that can be ended on its own, and what ends it.
    #[must_use = "contexts are immutable: the cancellation is the new one's"]
    pub fn with_cancel(&self) -> (Ctx, Canceller) {
        let node =
            Node::child(self.link(), Additions { cancellable: true, ..Additions::default() });
        (Ctx::from_link(Link::Node(Arc::clone(&node))), Canceller { node })
    }
}
