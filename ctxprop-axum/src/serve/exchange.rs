//! What is open: the requests and sessions of each connection, and how one of them is closed from outside.
//!
//! # Invariants
//! 1. A request is on its connection's list from its admission until nothing of it is left, also where its handler
//!    unwinds after the connection went. So what is on the lists at the end of a drain is what did not end.
//! 2. A connection is on the server's list while its socket is open or its own list is not empty.
//! 3. A session (an upgraded connection) holds its request until the connection, over HTTP/2 the stream, is closed.
//! 4. No lock is held while a request is dropped or told of its end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::extract::MatchedPath;
use ctxprop::{Canceller, Cause, Ctx};
use http::Method;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::server::Server;
use crate::request::InFlight;
use crate::service::Shared;

/// One connection of a server.
pub(crate) struct Connection {
    server: Arc<Server>,
    number: u64,
    state: Mutex<State>,
    /// How many open requests came with a body.
    bodies: AtomicUsize,
    /// Whether the socket takes no more bytes just now.
    blocked: AtomicBool,
    close: Notify,
}

#[derive(Default)]
struct State {
    open: Vec<(u64, Open)>,
    next: u64,
    /// The layers whose roots the server has been told of.
    layers: Vec<usize>,
    session: Option<InFlight>,
    /// When the request that ended last had its deadline, and when it ended.
    last: Option<(Instant, Instant)>,
    closed: bool,
}

/// A request that is not over.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) ctx: Ctx,
    pub(crate) canceller: Canceller,
    pub(crate) method: Method,
    pub(crate) route: Option<MatchedPath>,
    pub(crate) began: Instant,
}

impl Connection {
    pub(super) fn new(server: &Arc<Server>) -> Arc<Connection> {
        let make = |number: u64| Connection {
            server: Arc::clone(server),
            number,
            state: Mutex::default(),
            bodies: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            close: Notify::new(),
        };
        server.opened(make)
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing foreign runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request is open that came with a body, so that hyper may not see the other side leave.
    pub(super) fn has_a_body(&self) -> bool {
        self.bodies.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().open.is_empty()
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// When the rest of what was answered must have been taken: nothing is open, hyper holds the rest of a body whose
    /// request is over, and the other side does not read it.
    ///
    /// That it does not is known where the socket takes no more. Of a window of HTTP/2 that is used up only hyper knows; but
    /// a connection that `drains`, has nothing open and is still there `after` that has something to send.
    pub(super) fn must_be_taken_by(&self, drains: bool, after: Duration) -> Option<Instant> {
        let is_blocked = self.blocked.load(Ordering::Relaxed);
        if !is_blocked && !drains {
            return None;
        }
        let state = self.lock();
        let (deadline, ended) = state.last.filter(|_| state.open.is_empty())?;
        Some(if is_blocked { deadline } else { deadline.max(ended + after) })
    }

    pub(super) async fn asked_to_close(&self) {
        self.close.notified().await;
    }

    /// The socket is closed.
    pub(super) fn closed(&self) {
        let (session, is_empty) = {
            let mut state = self.lock();
            state.closed = true;
            (state.session.take(), state.open.is_empty())
        };
        drop(session);
        self.server.closed();
        if is_empty {
            self.server.forget(self.number);
        }
    }

    /// What is open now.
    pub(super) fn open(&self) -> Vec<Open> {
        self.lock().open.iter().map(|(_, open)| open.clone()).collect()
    }

    pub(super) fn end(&self, cause: &Cause) {
        for open in self.open() {
            open.canceller.cancel_with(cause.clone());
        }
    }
}

/// One stream of an HTTP/2 connection, with the tasks that hyper runs for it.
#[derive(Default)]
pub(super) struct Stream {
    close: Notify,
    tasks: AtomicUsize,
    session: Mutex<Option<InFlight>>,
}

impl Stream {
    pub(super) async fn asked_to_close(&self) {
        self.close.notified().await;
    }

    pub(super) fn task_began(&self) {
        self.tasks.fetch_add(1, Ordering::Relaxed);
    }

    /// The last of them ends the session, if it was one.
    pub(super) fn task_ended(&self) {
        if self.tasks.fetch_sub(1, Ordering::AcqRel) == 1 {
            let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(session);
        }
    }
}

/// Where a request came from: an extension of each request that a server of this crate serves.
#[derive(Clone)]
pub(crate) struct Exchange {
    connection: Arc<Connection>,
    /// Over HTTP/2.
    stream: Option<Arc<Stream>>,
    has_body: bool,
}

impl Exchange {
    pub(super) fn new(
        connection: Arc<Connection>,
        stream: Option<Arc<Stream>>,
        has_body: bool,
    ) -> Exchange {
        Exchange { connection, stream, has_body }
    }

    /// The root of the requests whose layer has none of its own.
    pub(crate) fn root(&self) -> &Ctx {
        self.connection.server.root()
    }

    /// Says that the requests of `shared` have a root of their own.
    pub(crate) fn has_own_root(&self, shared: &Arc<Shared>) {
        let id = Arc::as_ptr(shared).addr();
        let is_new = {
            let mut state = self.connection.lock();
            let is_new = !state.layers.contains(&id);
            if is_new {
                state.layers.push(id);
            }
            is_new
        };
        if is_new {
            self.connection.server.also_idle(id, &shared.root);
        }
    }

    pub(crate) fn begin(&self, open: Open) -> Ticket {
        let key = {
            let mut state = self.connection.lock();
            let key = state.next;
            state.next += 1;
            state.open.push((key, open));
            key
        };
        if self.has_body {
            self.connection.bodies.fetch_add(1, Ordering::Relaxed);
        }
        Ticket { exchange: self.clone(), key }
    }

    /// Closes the connection, over HTTP/2 the stream: nobody reads what is still to be sent.
    pub(crate) fn close(&self) {
        match &self.stream {
            Some(stream) => stream.close.notify_one(),
            None => self.connection.close.notify_one(),
        }
    }

    /// Keeps `request` until the connection, or stream, that it was upgraded to is closed.
    pub(crate) fn keep(&self, request: InFlight) {
        let late = match &self.stream {
            Some(stream) => {
                let mut session = stream.session.lock().unwrap_or_else(PoisonError::into_inner);
                session.replace(request)
            }
            None => {
                let mut state = self.connection.lock();
                if state.closed { Some(request) } else { state.session.replace(request) }
            }
        };
        drop(late);
    }
}

/// Held by a request that is on the list of its connection.
pub(crate) struct Ticket {
    exchange: Exchange,
    key: u64,
}

impl Ticket {
    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Exchange { connection, has_body, .. } = &self.exchange;
        if *has_body {
            connection.bodies.fetch_sub(1, Ordering::Relaxed);
        }
        let (open, is_over) = {
            let mut state = connection.lock();
            let at = state.open.iter().position(|(key, _)| *key == self.key);
            let open = at.map(|at| state.open.swap_remove(at));
            let deadline = open.as_ref().and_then(|(_, open)| open.ctx.deadline());
            state.last = deadline.map(|deadline| (deadline, Instant::now()));
            (open, state.closed && state.open.is_empty())
        };
        drop(open);
        if is_over {
            connection.server.forget(connection.number);
        }
    }
}

pub(super) type Listed = Weak<Connection>;
