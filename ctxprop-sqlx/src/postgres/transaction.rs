//! A transaction that is committed, rolled back, or known to be neither: [`Transaction`].
//!
//! # Invariants
//! 1. Once the commit is sent it is seen through, whatever becomes of the context, for at most `cleanup_limit`.
//! 2. [`CommitError::Failed`] and [`CommitError::Cancelled`] are said only where the server cannot have committed.
//! 3. Dropped without a commit it is rolled back: sqlx counts the transaction, and `settle.rs` sees that it is open.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use ctxprop::Ctx;
use futures_core::future::BoxFuture;
use futures_util::TryStreamExt;

use super::claim::{bounded, code, is_fatal};
use super::commit::CommitError;
use super::connection::PoolConnection;
use super::sqlx::{
    self, Acquire, Either, Error, Manager, PgConnection, Postgres, TransactionManager,
};
use super::statements::{COMMIT, COMMITTED, NO_TRANSACTION};
use crate::counters::Event;

/// A transaction for one context: see [`PgPool::begin`](super::PgPool::begin).
///
/// It is sqlx's `PgConnection` by `Deref`, so all that takes one takes `&mut *tx`. Given itself, as
/// `query.execute(&mut tx)`, a statement also ends when its context does. Savepoints are sqlx's: `(&mut tx).begin()` with
/// its trait `Acquire`.
///
/// # Cancel safety
///
/// Dropped without [`commit`](Transaction::commit) it is rolled back, and its connection is back in the pool once it is
/// known to be clean.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction {
    conn: PoolConnection,
}

impl Transaction {
    pub(super) fn new(conn: PoolConnection) -> Self {
        Transaction { conn }
    }

    pub(super) fn connection(&mut self) -> &mut PoolConnection {
        &mut self.conn
    }

    /// Commits.
    ///
    /// Once it has begun it goes on although the context ends, for at most `cleanup_limit` (10 s by default); what is
    /// around it waits, as for a [`shield`](Ctx::shield).
    ///
    /// # Errors
    ///
    /// [`CommitError`], which tells whether the transaction may be committed. A transaction in which a statement had
    /// failed is [`CommitError::Failed`], where PostgreSQL answers a `COMMIT` with a rollback and no error; so is one that
    /// is over, since sqlx rolls back all of it where the begin of a savepoint in it fails or is given up.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it is pending, the commit is waited for, and not stopped, but nobody is told what became of it.
    pub async fn commit(mut self) -> Result<(), CommitError> {
        let limit = self.conn.shared().settings.cleanup_limit;
        let ctx = Ctx::try_current();
        if let Some(ctx) = &ctx {
            ctx.check()?;
        }
        self.conn.commits();
        let mut done = 0;
        let ended = seen_through(ctx, limit, commit(&mut self.conn, &mut done)).await;
        match ended {
            // What failed then is the transaction that was begun for sqlx.
            _ if done >= COMMITTED => Ok(()),
            Some(Err(error)) if code(&error).is_some_and(|code| code == NO_TRANSACTION) => {
                Err(CommitError::Failed(is_over()))
            }
            Some(Err(error)) if !is_fatal(&error) => {
                let shared = self.conn.shared();
                Err(CommitError::Failed(self.conn.claim().explain(error, shared)))
            }
            lost => {
                let error = lost.and_then(Result::err);
                let shared = self.conn.shared();
                shared.counts.add(Event::UnknownCommit);
                tracing::warn!(
                    target: "ctxprop",
                    error = error.as_ref().map(tracing::field::display),
                    tag = self.conn.claim().told().map(tracing::field::display),
                    "the answer to a commit was lost: it may be committed, or not"
                );
                Err(CommitError::Unknown(error))
            }
        }
    }

    /// Rolls back, and waits until that is done, although the context ends, for at most `cleanup_limit`. A statement in it
    /// for which nobody waits any more is stopped first.
    ///
    /// # Errors
    ///
    /// It is not known whether the server has done it yet; it is not committed.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is rolled back all the same.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let limit = self.conn.shared().settings.cleanup_limit;
        let rollback = async {
            self.conn.stop().await?;
            Manager::rollback(&mut self.conn).await
        };
        let end = seen_through(Ctx::try_current(), limit, rollback).await;
        let end = end.unwrap_or(Err(Error::PoolTimedOut));
        if end.is_err() {
            self.conn.close_unclean("its rollback was not answered");
        }
        end
    }

    /// Where the begin of a savepoint fails, or is given up, sqlx rolls back all: what comes after it would be no part of any
    /// transaction.
    pub(super) fn check(&self) -> Result<(), Error> {
        match Manager::get_transaction_depth(&self.conn) {
            0 => Err(is_over()),
            _ => Ok(()),
        }
    }
}

fn is_over() -> Error {
    Error::Protocol(
        "the transaction is over: it was rolled back, as sqlx does where the begin of a savepoint fails or is given up".into(),
    )
}

/// Commits, and counts the results that come.
async fn commit(conn: &mut PgConnection, done: &mut usize) -> Result<(), Error> {
    let mut results = sqlx::fetch_many(conn, COMMIT);
    while let Some(result) = results.try_next().await? {
        if let Either::Left(_) = result {
            *done += 1;
        }
    }
    Ok(())
}

/// Runs `work` although `ctx` ends; nothing where `limit` passes.
async fn seen_through<F: Future>(ctx: Option<Ctx>, limit: Duration, work: F) -> Option<F::Output> {
    match ctx {
        Some(ctx) => ctx.shield(limit, work).await.ok(),
        None => tokio::time::timeout(limit, work).await.ok(),
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

impl AsMut<PgConnection> for Transaction {
    fn as_mut(&mut self) -> &mut PgConnection {
        self
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("connection", &self.conn).finish()
    }
}

impl<'c> Acquire<'c> for &'c mut Transaction {
    type Database = Postgres;
    type Connection = &'c mut PgConnection;

    fn acquire(self) -> BoxFuture<'c, Result<Self::Connection, Error>> {
        Acquire::acquire(&mut **self)
    }

    fn begin(self) -> BoxFuture<'c, Result<sqlx::Transaction<'c, Postgres>, Error>> {
        Box::pin(async move {
            self.check()?;
            let ctx = Ctx::try_current();
            bounded(ctx, async move { Acquire::begin(&mut **self).await }).await
        })
    }
}
