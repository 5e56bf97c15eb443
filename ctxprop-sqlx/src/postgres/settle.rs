//! What becomes of a connection when its holder lets go of it: the only place that decides whether it is reused.
//!
//! # Invariants
//! 1. **A connection is reused only when it is known to be clean**: all that was sent is answered, no request to stop
//!    something is under way, and the session is outside of a transaction. Of what is not known to be clean the
//!    connection is closed, in particular where settling itself is dropped halfway.
//! 2. **A request to stop is sent only while nothing but this use's statement can run**: the slot is held until the
//!    request is answered and what the connection still had to say is read. Only then may another statement be sent,
//!    the rollback included: behind a pooler it is what gives the server's session to somebody else.
//! 3. A commit is not stopped: it is waited for.
//! 4. Who lets go does not wait. A slot is held for at most `cleanup_limit`.
//!
//! What a clean connection costs is one look at whether something is outstanding; sqlx's own ping, which follows in
//! any case, carries the assertion that no transaction is open (`hooks.rs`).

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::claim::{Claim, is_fatal};
use super::options::Shared;
use super::sqlx::{Connection, Error, Manager, PgConnection, Postgres, Row, TransactionManager};
use super::{cancel, sqlx, statements};
use crate::counters::Event;
use crate::tag::Tag;

/// How long a statement may go on before it is stopped: most are about to end.
const GRACE: Duration = Duration::from_millis(5);
/// The same where the server's own timeout is about to stop it.
const GRACE_TIMED_OUT: Duration = Duration::from_millis(40);
/// How long to wait for a statement that was stopped, before the server is asked again; doubled each time. It may have
/// been asked before it had even read the statement.
const AGAIN: Duration = Duration::from_millis(20);

/// How long a statement may take to stop once the server has told it, before the server is asked again.
const TOLD: Duration = Duration::from_secs(1);

/// What the holder was at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A transaction begins, or could not: sqlx does not count it yet.
    Begin,
    Statement,
    /// It reads rows, and has not read the last one. There may be more than anybody wants to read.
    Rows,
    Commit,
}

/// Takes a connection back from its holder.
pub(super) fn give_back(
    mut conn: sqlx::PoolConnection<Postgres>,
    claim: &Claim,
    (phase, copies): (Phase, bool),
    shared: &Arc<Shared>,
) {
    // sqlx's pool spawns a task for what comes back, and so do we.
    let _entered = match Handle::try_current() {
        Ok(_) => None,
        Err(error) if error.is_missing_context() => Some(shared.runtime.enter()),
        // The thread ends.
        Err(_) => return drop(conn.detach()),
    };
    // What was sent may have been answered between the last poll and this one, and would be read here: so a begin that
    // nobody waited for is looked into in any case. Rows are not even looked at: where they come faster than they are
    // read, one poll reads them all.
    let outstanding =
        copies || matches!(phase, Phase::Begin | Phase::Rows) || !is_answered(&mut conn);
    if !outstanding && Manager::get_transaction_depth(&conn) == 0 {
        // Back to sqlx's pool, through `hooks::released`.
        return drop(conn);
    }
    let unclean =
        Unclean { conn: Some(conn), tag: claim.told().cloned(), shared: Arc::clone(shared) };
    let settling = unclean.settle((phase, copies), grace(claim), outstanding);
    match claim.ctx() {
        // The root waits for it, and its trace is on what it logs.
        Some(ctx) => drop(ctx.detach("a connection goes back to its pool").spawn(settling)),
        None => drop(tokio::spawn(settling)),
    }
}

/// Whether all that was sent is sent completely, and answered.
pub(super) fn is_answered(conn: &mut PgConnection) -> bool {
    matches!(poll_once(pin!(conn.flush())), Poll::Ready(Ok(())))
}

/// Polls without waiting.
pub(super) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Queues the rollback of the transaction that sqlx knows of, if it does.
pub(super) fn roll_back(conn: &mut PgConnection) -> bool {
    let depth = Manager::get_transaction_depth(conn);
    // Each call leaves one savepoint, the last one the transaction.
    for _ in 0..depth {
        Manager::start_rollback(conn);
    }
    depth > 0
}

/// Reads all that is still to come. Errors of statements that nobody waits for are part of it.
pub(super) async fn drain(conn: &mut PgConnection) -> Result<(), Error> {
    loop {
        match conn.flush().await {
            Err(error) if !is_fatal(&error) => continue,
            end => return end,
        }
    }
}

/// Puts the session back to what it was at the beginning, and out of a transaction. An error where that fails.
pub(super) async fn reset(conn: &mut PgConnection, shared: &Shared) -> Result<(), Error> {
    let statement = if shared.settings.pooler { statements::CHECK } else { statements::RESET };
    let idle = match sqlx::fetch_one(conn, statement).await {
        Ok(row) => row.try_get(0)?,
        // In a transaction that has failed.
        Err(error) if !is_fatal(&error) => false,
        Err(error) => return Err(error),
    };
    if idle {
        return Ok(());
    }
    shared.counts.add(Event::RolledBack);
    tracing::warn!(target: "ctxprop", "a connection came back in a transaction: it is rolled back");
    sqlx::execute(conn, "ROLLBACK").await?;
    match sqlx::fetch_one(conn, statement).await?.try_get(0)? {
        true => Ok(()),
        false => Err(Error::Protocol("still in a transaction after a rollback".into())),
    }
}

/// Closes a connection, of which it is not known whether it is clean. Its slot is free at once; what the server still
/// runs for it ends when the server notices (`client_connection_check_interval`).
pub(super) fn close(
    conn: sqlx::PoolConnection<Postgres>,
    why: &str,
    tag: Option<&Tag>,
    shared: &Shared,
) {
    shared.counts.add(Event::Closed);
    tracing::warn!(
        target: "ctxprop",
        why,
        tag = tag.map(tracing::field::display),
        "a connection is closed, because it is not known to be clean"
    );
    drop(conn.detach());
}

/// A connection that must not be reused unless [`settle`](Unclean::settle) says so: closed wherever it is dropped.
struct Unclean {
    conn: Option<sqlx::PoolConnection<Postgres>>,
    tag: Option<Tag>,
    shared: Arc<Shared>,
}

impl Drop for Unclean {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            close(conn, "it was not settled", self.tag.as_ref(), &self.shared);
        }
    }
}

impl Unclean {
    async fn settle(mut self, (phase, copies): (Phase, bool), grace: Duration, outstanding: bool) {
        let Some(conn) = &mut self.conn else { return };
        let (shared, tag) = (&*self.shared, self.tag.as_ref());
        // A commit is waited for, and so is what carries no tag.
        let to_stop = tag.filter(|_| phase != Phase::Commit && outstanding);
        let settled = timeout(shared.settings.cleanup_limit, async {
            match to_stop {
                Some(tag) if copies => stop_copy(tag, shared).await?,
                Some(tag) if phase == Phase::Rows => stop_rows(conn, tag, shared).await?,
                Some(tag) => stop(conn, tag, grace, shared).await?,
                None => drain(conn).await?,
            }
            if roll_back(conn) {
                drain(conn).await?;
            }
            // What was begun and given up leaves a transaction that sqlx does not know of.
            if outstanding { reset(conn, shared).await } else { Ok(()) }
        });
        let why = match settled.await {
            Ok(Ok(())) => {
                return drop(self.conn.take());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the server did not stop in time".to_owned(),
        };
        if let Some(conn) = self.conn.take() {
            close(conn, &why, tag, shared);
        }
    }
}

/// How long a statement of this claim may go on before it is stopped.
fn grace(claim: &Claim) -> Duration {
    if claim.is_timed_out() { GRACE_TIMED_OUT } else { GRACE }
}

/// Has what is outstanding stopped before its holder goes on with the connection. Without a tag it is waited for.
///
/// # Errors
///
/// Those of [`stop`].
pub(super) async fn stop_outstanding(
    conn: &mut PgConnection,
    claim: &Claim,
    reads_rows: bool,
    shared: &Shared,
) -> Result<(), Error> {
    match claim.told() {
        Some(tag) if reads_rows => stop_rows(conn, tag, shared).await,
        Some(tag) if !is_answered(conn) => stop(conn, tag, grace(claim), shared).await,
        _ => drain(conn).await,
    }
}

/// Reads what is still to come, and has the server stop what runs under `tag` if it takes longer than `grace`.
///
/// # Errors
///
/// The connection is broken, or it is not known whether a request to stop something is still under way.
async fn stop(
    conn: &mut PgConnection,
    tag: &Tag,
    grace: Duration,
    shared: &Shared,
) -> Result<(), Error> {
    let mut drained = pin!(drain(conn));
    if let Ok(end) = timeout(grace, &mut drained).await {
        return end;
    }
    let (mut stopped, mut again) = (false, AGAIN);
    loop {
        // Both, whichever is first: invariant 2.
        let (asked, end) = tokio::join!(ask(tag, stopped, shared), timeout(again, &mut drained));
        stopped |= asked?;
        if let Ok(end) = end {
            return end;
        }
        if stopped && let Ok(end) = timeout(TOLD, &mut drained).await {
            return end;
        }
        again = again.saturating_mul(2);
    }
}

/// The same where rows come: first they are to stop. The server is stopped although it waits for us to read; it notices
/// when we do.
async fn stop_rows(conn: &mut PgConnection, tag: &Tag, shared: &Shared) -> Result<(), Error> {
    ask(tag, false, shared).await?;
    // Where it was not running it had ended: there is not more to come than is under way.
    drain(conn).await
}

/// The same where it may be at a `COPY`. Whether all of it has come only the answer to the next question tells: see
/// [`reset`], which fails where something else comes in its place.
async fn stop_copy(tag: &Tag, shared: &Shared) -> Result<(), Error> {
    ask(tag, false, shared).await.map(drop)
}

/// Has the server stop what runs under `tag`. Whether something did; `before` tells that it was counted.
async fn ask(tag: &Tag, before: bool, shared: &Shared) -> Result<bool, Error> {
    let asking = timeout(cancel::LIMIT, shared.side.stop(tag));
    let stopped = asking.await.unwrap_or(Err(Error::PoolTimedOut))?;
    if stopped && !before {
        shared.counts.add(Event::Cancelled);
        tracing::info!(target: "ctxprop", %tag, "the server was asked to stop a statement nobody waits for");
    }
    Ok(stopped)
}
