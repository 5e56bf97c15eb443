//! A connection of the pool, held for one claim: [`PoolConnection`].
//!
//! # Invariants
//! 1. Whatever becomes of it, dropping it hands the connection to `settle.rs`, which alone decides whether it is
//!    reused.
//! 2. It is there until it is dropped or closed, both of which take the whole value.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ctxprop::Cancelled;

use super::claim::{Claim, is_fatal};
use super::options::Shared;
use super::settle::{self, Phase};
use super::sqlx::{Acquire, Error, PgConnection, Postgres, Row};
use super::{sqlx, statements};

/// A connection of a [`PgPool`](super::PgPool), for the context under which it was taken.
///
/// It is sqlx's `PgConnection` by `Deref`, so all that takes one takes `&mut *conn`. Given itself, as
/// `query.execute(&mut conn)`, a statement also ends when its context does, and an error that is due to that is
/// [`Cancelled`](ctxprop::Cancelled) inside: see [`Cancelled::find_in`](ctxprop::Cancelled::find_in).
///
/// # Cancel safety
///
/// Dropped at any moment, it goes back to the pool once the server has stopped what it ran, and the session is known to
/// be outside of a transaction; otherwise the connection is closed.
pub struct PoolConnection {
    conn: Option<sqlx::PoolConnection<Postgres>>,
    claim: Claim,
    phase: Phase,
    reads_rows: AtomicBool,
    /// Whether there may be something to come of a `COPY`: see `copy.rs`.
    copies: bool,
    shared: Arc<Shared>,
}

impl PoolConnection {
    pub(super) fn new(
        conn: sqlx::PoolConnection<Postgres>,
        claim: Claim,
        shared: Arc<Shared>,
    ) -> Self {
        PoolConnection {
            conn: Some(conn),
            claim,
            phase: Phase::Statement,
            reads_rows: AtomicBool::new(false),
            copies: false,
            shared,
        }
    }

    pub(super) fn claim(&self) -> &Claim {
        &self.claim
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The connection and what is known of it, apart.
    pub(super) fn parts(&mut self) -> (&mut PgConnection, &Claim, &Shared) {
        let PoolConnection { conn, claim, shared, .. } = self;
        (there(conn), claim, shared)
    }

    /// Tells the server whose the session is, and how long its statements may take; in the place of sqlx's ping.
    /// Whether the session is fit for use.
    pub(super) async fn take(&mut self) -> Result<bool, Error> {
        let conn = there(&mut self.conn);
        if self.shared.settings.pooler {
            return is_idle(conn).await;
        }
        match self.claim.tell(&self.shared)? {
            (None, _) => is_idle(conn).await,
            (Some(tag), millis) => {
                let statement = statements::taken(tag, millis);
                sqlx::fetch_one(conn, &statement).await?.try_get(0)
            }
        }
    }

    /// Begins a transaction with `begin`, and says in it whose it is and how long its statements may take, unless
    /// [`take`](Self::take) has told that to the session.
    pub(super) async fn begin(&mut self, begin: &str) -> Result<(), Error> {
        let conn = there(&mut self.conn);
        let statement = if self.claim.told().is_some() {
            begin.to_owned()
        } else {
            let (tag, millis) = self.claim.tell(&self.shared)?;
            let millis = millis.filter(|millis| !self.shared.own_is_shorter(*millis));
            statements::begin(begin, tag, millis)
        };
        self.phase = Phase::Begin;
        sqlx::begin(conn, statement).await?;
        self.phase = Phase::Statement;
        Ok(())
    }

    /// The connection, and where to note that a row has come, so that more may come.
    pub(super) fn reading(&mut self) -> (&mut PgConnection, &AtomicBool) {
        let PoolConnection { conn, reads_rows, .. } = self;
        (there(conn), reads_rows)
    }

    /// The connection, and where to note that it copies.
    pub(super) fn copying(&mut self) -> (&mut PgConnection, &mut bool) {
        let PoolConnection { conn, copies, .. } = self;
        (there(conn), copies)
    }

    /// Its last statement is over.
    pub(super) fn has_read(&mut self) {
        *self.reads_rows.get_mut() = false;
    }

    /// From now on it is a commit that runs, which nobody stops.
    pub(super) fn commits(&mut self) {
        self.phase = Phase::Commit;
    }

    /// Stops its last statement, if that still runs and nobody waits for it.
    ///
    /// # Errors
    ///
    /// As `settle::stop`: the connection must not be reused.
    pub(super) async fn stop(&mut self) -> Result<(), Error> {
        let reads_rows = *self.reads_rows.get_mut();
        let PoolConnection { conn, claim, shared, .. } = self;
        settle::stop_outstanding(there(conn), claim, reads_rows, shared).await
    }

    /// Closes the connection; its slot is free at once.
    pub(super) fn close_unclean(mut self, why: &'static str) {
        if let Some(conn) = self.conn.take() {
            settle::close(conn, why, self.claim.told(), &self.shared);
        }
    }

    /// After an error of the first statement: whether the connection had died while it was idle, so that another one
    /// is worth a try. It is closed then.
    pub(super) fn died(self, error: &Error) -> bool {
        // What was refused before anything was sent says nothing of the connection.
        let died = is_fatal(error) && Cancelled::find_in(error).is_none();
        if died {
            self.close_unclean("it had died while it was idle");
        }
        died
    }
}

/// Whether the session is alive and outside of a transaction. A question that has a row for its answer, and not a ping: where
/// sqlx has lost count of what is to come, the row does not come.
pub(super) async fn is_idle(conn: &mut PgConnection) -> Result<bool, Error> {
    sqlx::fetch_one(conn, statements::CHECK).await?.try_get(0)
}

/// Invariant 2.
fn there(conn: &mut Option<sqlx::PoolConnection<Postgres>>) -> &mut sqlx::PoolConnection<Postgres> {
    match conn {
        Some(conn) => conn,
        None => unreachable!("a connection is taken out only where the value ends"),
    }
}

impl Drop for PoolConnection {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            let phase = match *self.reads_rows.get_mut() {
                true => Phase::Rows,
                false => self.phase,
            };
            settle::give_back(conn, &self.claim, (phase, self.copies), &self.shared);
        }
    }
}

impl Deref for PoolConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.conn {
            Some(conn) => conn,
            None => unreachable!("a connection is taken out only where the value ends"),
        }
    }
}

impl DerefMut for PoolConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        there(&mut self.conn)
    }
}

impl AsMut<PgConnection> for PoolConnection {
    fn as_mut(&mut self) -> &mut PgConnection {
        self
    }
}

impl fmt::Debug for PoolConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolConnection").field("tag", &self.claim.told()).finish_non_exhaustive()
    }
}

impl<'c> Acquire<'c> for &'c mut PoolConnection {
    type Database = Postgres;
    type Connection = &'c mut PgConnection;

    fn acquire(self) -> futures_core::future::BoxFuture<'c, Result<Self::Connection, Error>> {
        Acquire::acquire(&mut **self)
    }

    fn begin(
        self,
    ) -> futures_core::future::BoxFuture<'c, Result<sqlx::Transaction<'c, Postgres>, Error>> {
        Acquire::begin(&mut **self)
    }
}
