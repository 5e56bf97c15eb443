//! [`Server`]: what all connections of one server share, and what its drain waits for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctxprop::{Canceller, Cause, Ctx, TaskInfo};
use tokio::sync::watch;

use super::exchange::{Connection, Listed, Open};

/// How far a server is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It takes requests.
    Serving,
    /// It takes no new ones.
    Draining,
    /// All that was left has been told to end.
    Ending,
}

pub(crate) struct Server {
    root: Ctx,
    canceller: Canceller,
    phase: watch::Sender<Phase>,
    /// How many sockets are open, those of sessions among them.
    sockets: watch::Sender<usize>,
    connections: Mutex<Connections>,
    /// The roots of layers that have their own.
    roots: Mutex<Vec<(usize, Ctx)>>,
}

#[derive(Default)]
struct Connections {
    listed: HashMap<u64, Listed>,
    next: u64,
}

impl Server {
    pub(super) fn new(root: Ctx, canceller: Canceller) -> Arc<Server> {
        Arc::new(Server {
            root,
            canceller,
            phase: watch::Sender::new(Phase::Serving),
            sockets: watch::Sender::new(0),
            connections: Mutex::default(),
            roots: Mutex::default(),
        })
    }

    pub(super) fn root(&self) -> &Ctx {
        &self.root
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Nothing foreign runs under the lock.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket was accepted: makes its connection and puts it on the list.
    pub(super) fn opened(&self, make: impl FnOnce(u64) -> Connection) -> Arc<Connection> {
        self.sockets.send_modify(|open| *open += 1);
        let mut connections = self.connections();
        let number = connections.next;
        connections.next += 1;
        let connection = Arc::new(make(number));
        connections.listed.insert(number, Arc::downgrade(&connection));
        connection
    }

    /// The socket of a connection is closed.
    pub(super) fn closed(&self) {
        self.sockets.send_modify(|open| *open -= 1);
    }

    /// Nothing of a connection is left.
    pub(super) fn forget(&self, number: u64) {
        let gone = self.connections().listed.remove(&number);
        drop(gone);
    }

    /// The drain waits for the tasks of this root too, which is that of the layer `id`.
    pub(super) fn also_idle(&self, id: usize, root: &Ctx) {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if roots.iter().all(|(known, _)| *known != id) {
            roots.push((id, root.clone()));
        }
    }

    pub(super) fn sockets(&self) -> usize {
        *self.sockets.borrow()
    }

    /// Waits until no socket is open.
    pub(super) async fn all_closed(&self) {
        // The sender is here, so there is nothing else to be told.
        let _ = self.sockets.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Waits until no task is left of any root.
    pub(super) async fn idle(&self) {
        let mut at = 0;
        loop {
            let root = match at {
                0 => Some(self.root.clone()),
                _ => {
                    let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
                    roots.get(at - 1).map(|(_, root)| root.clone())
                }
            };
            let Some(root) = root else { return };
            root.idle().await;
            at += 1;
        }
    }

    /// How many tasks are left.
    pub(super) fn live_tasks(&self) -> usize {
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.root.live_tasks();
        own + roots.iter().map(|(_, root)| root.live_tasks()).sum::<usize>()
    }

    /// The same by name.
    pub(super) fn list_tasks(&self) -> Vec<TaskInfo> {
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let others = roots.iter().flat_map(|(_, root)| root.list_tasks());
        self.root.list_tasks().into_iter().chain(others).collect()
    }

    /// Waits until the server is that far.
    pub(super) async fn reaches(&self, phase: Phase) {
        // The sender is here, so there is nothing else to be told.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    pub(super) fn stop_taking(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Ends all that is left, whatever root it has.
    pub(super) fn shut_down(&self) {
        self.canceller.cancel_with(Cause::Shutdown);
        self.phase.send_replace(Phase::Ending);
        for connection in self.listed() {
            connection.end(&Cause::Shutdown);
        }
    }

    /// The requests and sessions that are open.
    pub(super) fn open(&self) -> Vec<Open> {
        self.listed().iter().flat_map(|connection| connection.open()).collect()
    }

    fn listed(&self) -> Vec<Arc<Connection>> {
        self.connections().listed.values().filter_map(Listed::upgrade).collect()
    }
}
