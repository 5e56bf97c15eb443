//! The callbacks of one node that can end, and its token, and how they hear of the end: as a waker, like everybody who
//! waits.
//!
//! # Invariants
//! 1. While there is a callback or a token, a waker that leads here is registered with the node's enders, or the end was found: a callback
//!    is added first, then the waker is registered, then the end is looked for.
//! 2. Under a deadline a task waits for it as long as there is one, since they are nobody's future: one task for all of a
//!    node, where one of them was added in a runtime.
//! 3. Nothing here keeps the node: it keeps this. Once its last handle is gone the link to it is taken out, under the lock.
//! 4. The lock is held while the waker, which is ours, is registered and taken back. No foreign code runs under it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::deadline::timer;
use super::dispatch::Callback;
use super::handle::{Link, Node};
use super::header::Header;
use crate::end::Keys;
use crate::fault::{Fault, planted};
use crate::sync::{Mutex, lock};

/// A callback's place, which no other ever has.
pub(super) type Key = u64;

pub(super) struct Callbacks {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` once it is being dropped (invariant 3).
    node: Option<Link>,
    waiting: Waiting,
    next: Key,
    /// Cancelled at the end, with all that were made of it.
    token: Option<CancellationToken>,
    /// Where the waker is registered, if it is.
    keys: Option<Keys>,
    driver: Driver,
}

/// The task that waits for the deadline.
#[derive(Default)]
enum Driver {
    #[default]
    None,
    /// It was spawned and has not been polled.
    Starts,
    /// It waits, and is woken when nobody is left.
    Waits(Waker),
}

/// What comes out of a state is dropped and called after its lock is released.
type Waiting = BTreeMap<Key, Callback>;

impl Callbacks {
    /// Those of `node`.
    pub(super) fn of(node: &Node) -> &Arc<Callbacks> {
        node.end.keep(|| {
            let node = Some(Link::to(node));
            Arc::new(Callbacks { state: Mutex::new(State { node, ..State::default() }) })
        })
    }

    /// The node, unless it is being dropped.
    pub(super) fn node(&self) -> Option<Node> {
        lock(&self.state).node.as_ref().and_then(Link::node)
    }

    /// Adds a callback of `node`; it is called at once where the end has come meanwhile.
    pub(super) fn add(self: &Arc<Self>, node: &Node, callback: Callback) -> Key {
        self.change(node, |state| {
            let key = state.next;
            state.next += 1;
            state.waiting.insert(key, callback);
            key
        })
    }

    /// The token of `node`: `new`, unless there is one. It is cancelled where the end has come.
    pub(super) fn token(
        self: &Arc<Self>,
        node: &Node,
        new: CancellationToken,
    ) -> CancellationToken {
        let token =
            self.change(node, |state| state.token.get_or_insert_with(|| new.clone()).clone());
        // Not before: it may be the last handle, whose drop locks others.
        drop(new);
        token
    }

    /// Adds something, and sees to it that the end finds it.
    fn change<R>(self: &Arc<Self>, node: &Node, add: impl FnOnce(&mut State) -> R) -> R {
        let runtime = node.deadline.and_then(|_| Handle::try_current().ok());
        let mut state = lock(&self.state);
        let added = add(&mut state);
        if state.keys.is_none() {
            let mut keys = Keys::new();
            if node.register(&Waker::from(Arc::clone(self)), &mut keys) {
                state.keys = Some(keys);
            }
        }
        let drives = runtime.filter(|_| matches!(state.driver, Driver::None));
        if drives.is_some() {
            state.driver = Driver::Starts;
        }
        drop(state);
        // Invariant 1.
        if node.ended() && !planted(Fault::AddsAndLooksNoMore) {
            self.call_all();
        }
        if let Some(runtime) = drives {
            drop(runtime.spawn(Drive { node: node.clone(), timer: None, over: false }));
        }
        added
    }

    /// Takes a callback of the node with this header back, if it has not been called.
    pub(super) fn remove(&self, node: &Header, key: Key) -> Option<Callback> {
        let mut state = lock(&self.state);
        let callback = state.waiting.remove(&key);
        let mut idle = None;
        if callback.is_some() && state.waiting.is_empty() {
            // A map that is empty still has memory.
            state.waiting = Waiting::new();
        }
        if callback.is_some() && state.is_idle() {
            node.unregister(&mut state.keys.take().unwrap_or_default());
            idle = state.driver.waits();
        }
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        callback
    }

    /// Calls those that wait, and cancels the token, if the node has ended.
    fn call_all(&self) {
        let Some(node) = self.node() else { return };
        let Some(cause) = node.recorded_cause() else { return };
        let mut state = lock(&self.state);
        let waiting = std::mem::take(&mut state.waiting);
        let token = state.token.take();
        node.unregister(&mut state.keys.take().unwrap_or_default());
        let idle = state.driver.waits();
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        waiting.into_values().for_each(|callback| callback.dispatch(cause.clone()));
        // Last, because it wakes foreign code, which may panic.
        token.iter().for_each(CancellationToken::cancel);
    }

    /// Forgets the node with this header, which is being dropped, and takes the waker back (invariant 3).
    pub(super) fn leave(&self, node: &Header) {
        let mut state = lock(&self.state);
        node.unregister(&mut state.keys.take().unwrap_or_default());
        let left = std::mem::take(&mut *state);
        drop(state);
        drop(left);
    }

    /// Whether the driver still has somebody to wait for; if so, `waker` is woken when it has nobody.
    fn drives(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut state = lock(&self.state);
        let drives = !state.is_idle();
        let next = if drives { Driver::Waits(waker) } else { Driver::None };
        let last = std::mem::replace(&mut state.driver, next);
        drop(state);
        drop(last);
        drives
    }

    /// The driver goes before [`drives`](Callbacks::drives) let it: with its runtime.
    fn driver_gone(&self) {
        let last = std::mem::take(&mut lock(&self.state).driver);
        drop(last);
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.token.is_none()
    }
}

impl Driver {
    /// The waker of one that waits, which goes on waiting.
    fn waits(&self) -> Option<Waker> {
        match self {
            Driver::Waits(waker) => Some(waker.clone()),
            Driver::None | Driver::Starts => None,
        }
    }
}

impl Wake for Callbacks {
    fn wake(self: Arc<Self>) {
        self.call_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.call_all();
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callbacks")
    }
}

pin_project! {
    /// The task of invariant 2.
    struct Drive {
        node: Node,
        #[pin]
        timer: Option<Sleep>,
        over: bool,
    }

    impl PinnedDrop for Drive {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.over {
                Callbacks::of(this.node).driver_gone();
            }
        }
    }
}

impl Future for Drive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        *this.over = !Callbacks::of(this.node).drives(cx.waker())
            || poll_deadline(this.node, this.timer.as_mut(), cx).is_ready();
        if *this.over { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Ready once the deadline of `node` has passed, if there is one.
fn poll_deadline(
    node: &Header,
    mut own: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(deadline) = node.deadline else { return Poll::Ready(()) };
    if own.as_mut().as_pin_mut().is_none_or(|timer| timer.is_elapsed()) {
        // A runtime that shuts down fires all its timers: the clock tells.
        if node.expire_if_due() {
            return Poll::Ready(());
        }
        own.set(timer(deadline));
    }
    let Some(timer) = own.as_pin_mut() else { return Poll::Pending };
    // Outside tokio's cooperative budget: a poll refused for lack of it would register nothing.
    match pin!(unconstrained(timer)).poll(cx) {
        Poll::Ready(()) if node.expire_if_due() => Poll::Ready(()),
        // Of a runtime that shuts down, in which nothing can wait any more.
        _ => Poll::Pending,
    }
}
