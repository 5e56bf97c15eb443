//! SQLite under a context.
//!
//! What a transaction does must be done whole or not at all, and it must be known which. So a transaction runs under a
//! *shield*, from its begin to its commit: the end of the request does not reach in. Waiting for a connection is outside of
//! it, and is given up with the request. Without the shield a begin that is dropped leaves its connection in the pool, in a
//! transaction, with SQLite's one lock (`tests/database.rs`). A transaction of SQLite takes milliseconds; a longer one
//! would look at the clock itself.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor, SqlitePool};

use crate::ShopError;

/// How long a transaction may take. More than SQLite waits for its lock, so that a shield never ends inside of one.
pub(crate) const TRANSACTION: Duration = Duration::from_secs(10);
const LOCK: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 4;

/// How a transaction begins: it takes SQLite's one lock for writers at once, so that it cannot fail for it halfway.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Opens the database, and makes its tables where there are none.
///
/// # Errors
///
/// It cannot be opened.
pub async fn open(file: &Path, tables: &'static str) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(LOCK);
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(LOCK)
        .connect_with(options)
        .await?;
    pool.execute(tables).await?;
    Ok(pool)
}

/// Whether no connection of the pool is inside of a transaction: each is asked to begin one.
///
/// # Errors
///
/// One is, or cannot be asked.
pub async fn nothing_open(pool: &SqlitePool) -> Result<(), ShopError> {
    let mut all = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        all.push(pool.acquire().await?);
    }
    for conn in &mut all {
        // In a transaction SQLite refuses the first of them.
        conn.execute("BEGIN").await?;
        conn.execute("ROLLBACK").await?;
    }
    Ok(())
}
