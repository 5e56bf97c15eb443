//! The callbacks of one node that can end, and its token, and how they hear of the end: as a waker, like everybody who
//! waits.
//!
//! # Invariants
//! 1. While there is a callback, a waker that leads here is registered with the node's enders, or the end was found: a callback
//!    is added first, then the waker is registered, then the end is looked for.
//! 2. The same holds for a token, with the node's own end: what ends above cancels the token there, of which this one was made
//!    (`token.rs`). With all enders a token would cost as much as there are above, and so those of a chain its square.
//! 3. Nothing here keeps the node: it keeps this. Once its last handle is gone the link to it is taken out, under the lock.
//! 4. The lock is held while the waker, which is ours, is registered and taken back. No foreign code runs under it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::{Wake, Waker};

use tokio_util::sync::CancellationToken;

use super::dispatch::Callback;
use super::drive::{Clock, Driver};
use super::handle::{Link, Node};
use super::header::Header;
use super::outside;
use crate::end::Keys;
use crate::end::cause::Cause;
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
    /// Cancelled at the end, with all that were made of it. Shared, since to clone a token locks that.
    token: Option<Arc<CancellationToken>>,
    /// Where the waker is registered, if it is: with all enders, and with the node's own end.
    keys: Option<Keys>,
    own_key: Option<Keys>,
    /// Who sees to the deadline, by several clocks.
    drivers: Vec<Driver>,
}

/// Of what the waker is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tells {
    /// The end of any ender.
    All,
    /// The end of the node itself (invariant 2).
    Own,
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
        self.change(node, Tells::All, |state| {
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
    ) -> Arc<CancellationToken> {
        let new = Arc::new(new);
        let token = self.change(node, Tells::Own, |state| {
            Arc::clone(state.token.get_or_insert_with(|| Arc::clone(&new)))
        });
        // Not before: it may be the last handle, whose drop locks others.
        drop(new);
        token
    }

    /// Adds something, and sees to it that the end finds it.
    fn change<R>(
        self: &Arc<Self>,
        node: &Node,
        tells: Tells,
        add: impl FnOnce(&mut State) -> R,
    ) -> R {
        // A deadline from above is seen to there, if that is told (invariant 2).
        let drives = node.deadline.filter(|_| tells == Tells::All || node.is_timed());
        let drives = drives.map(|deadline| (Clock::here(), deadline));
        let mut state = lock(&self.state);
        let added = add(&mut state);
        state.register(self, node, tells);
        let drives = drives.filter(|(clock, _)| state.starts(*clock));
        drop(state);
        // Invariants 1 and 2.
        let ended = if tells == Tells::All { node.ended() } else { node.end.is_set() };
        if ended && !planted(Fault::AddsAndLooksNoMore) {
            self.call_all();
        }
        if let Some((clock, deadline)) = drives {
            clock.drive(node, deadline);
        }
        added
    }

    /// Takes a callback of the node with this header back, if it has not been called.
    pub(super) fn remove(&self, node: &Header, key: Key) -> Option<Callback> {
        let mut state = lock(&self.state);
        let callback = state.waiting.remove(&key);
        let mut idle = Vec::new();
        if callback.is_some() && state.waiting.is_empty() {
            // A map that is empty still has memory.
            state.waiting = Waiting::new();
        }
        if callback.is_some() && state.is_idle() {
            state.unregister(node);
            idle = state.driver_wakers();
        }
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        callback
    }

    /// Calls those that wait, and cancels the token, if the node has ended.
    fn call_all(&self) {
        let Some(node) = self.node() else { return };
        if let Some(cause) = node.recorded_cause() {
            self.call_each(&node, &cause);
        }
        outside::let_go(node);
    }

    fn call_each(&self, node: &Header, cause: &Cause) {
        let mut state = lock(&self.state);
        let waiting = std::mem::take(&mut state.waiting);
        // It stays in sight until it is cancelled: whoever else tells of the end cancels it too, and does not go on before
        // that is done.
        let token = state.token.clone();
        state.unregister(node);
        let idle = state.driver_wakers();
        drop(state);
        idle.into_iter().for_each(Waker::wake);
        waiting.into_values().for_each(|callback| callback.dispatch(cause.clone()));
        // Last, because it wakes foreign code, which may panic.
        let Some(token) = token else { return };
        token.cancel();
        // Another one may be there by now, which whoever asked for it has cancelled.
        let told = lock(&self.state).token.take_if(|known| Arc::ptr_eq(known, &token));
        drop(told);
    }

    /// Forgets the node with this header, which is being dropped, and takes the waker back (invariant 3).
    pub(super) fn forget(&self, node: &Header) {
        let mut state = lock(&self.state);
        state.unregister(node);
        state.node = None;
    }

    /// Drops all that waits.
    pub(super) fn clear(&self) {
        let left = std::mem::take(&mut *lock(&self.state));
        drop(left);
    }

    /// Whether the driver by `clock` still has somebody to wait for. If so, `waker` is woken when it has nobody, but for the
    /// token that comes with this, which tells by itself. Else it is a driver no more.
    pub(super) fn drives(
        &self,
        clock: Clock,
        waker: &Waker,
    ) -> Option<Option<Arc<CancellationToken>>> {
        let waker = waker.clone();
        let mut state = lock(&self.state);
        if state.is_idle() {
            let left = state.take_driver(clock);
            drop(state);
            drop(left);
            return None;
        }
        let mut drivers = state.drivers.iter_mut();
        let last = drivers.find(|driver| driver.clock == clock).map(|driver| driver.waits(waker));
        let token = state.token.clone();
        drop(state);
        drop(last);
        Some(token)
    }

    /// The driver goes before [`drives`](Callbacks::drives) let it: at the end, or with its runtime.
    pub(super) fn driver_gone(&self, clock: Clock) {
        let left = lock(&self.state).take_driver(clock);
        drop(left);
    }

    /// Whether somebody waits who is to be seen to by the clock of the system, and is not yet.
    pub(super) fn starts_outside(&self) -> bool {
        let mut state = lock(&self.state);
        !state.is_idle() && state.starts(Clock::System)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.token.is_none()
    }

    /// Registers the waker that leads to `callbacks`, unless it is told so much already.
    fn register(&mut self, callbacks: &Arc<Callbacks>, node: &Header, tells: Tells) {
        if self.keys.is_some() || tells == Tells::Own && self.own_key.is_some() {
            return;
        }
        let waker = Waker::from(Arc::clone(callbacks));
        let mut keys = Keys::new();
        match tells {
            Tells::All => {
                if node.register(&waker, &mut keys) {
                    self.keys = Some(keys);
                }
            }
            Tells::Own => {
                self.own_key = node.end.register(&waker).map(|key| {
                    keys.push(key);
                    keys
                });
            }
        }
    }

    /// Takes back what [`register`](State::register) did.
    fn unregister(&mut self, node: &Header) {
        node.unregister(&mut self.keys.take().unwrap_or_default());
        let own = self.own_key.take().into_iter().flat_map(|mut keys| keys.take());
        own.for_each(|key| node.end.unregister(key));
    }

    /// Whether a driver is to be started by `clock`: there is none.
    fn starts(&mut self, clock: Clock) -> bool {
        let starts = self.drivers.iter().all(|driver| driver.clock != clock);
        if starts {
            self.drivers.push(Driver::new(clock));
        }
        starts
    }

    fn take_driver(&mut self, clock: Clock) -> Option<Driver> {
        let at = self.drivers.iter().position(|driver| driver.clock == clock)?;
        Some(self.drivers.swap_remove(at))
    }

    /// The wakers of those that wait, which go on waiting.
    fn driver_wakers(&self) -> Vec<Waker> {
        self.drivers.iter().filter_map(Driver::waker).collect()
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
