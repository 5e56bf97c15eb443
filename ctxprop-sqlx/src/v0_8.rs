//! The pool for sqlx 0.8.
//!
//! One source serves each version of sqlx: `postgres/` is compiled once for each, and names sqlx through the module
//! `sqlx` here, which is all that differs, beside the signatures in `executor.rs`.

mod executor;

/// What of sqlx 0.8 the shared source names.
mod sqlx {
    pub(super) use ::sqlx::pool::{PoolConnection, PoolConnectionMetadata};
    pub(super) use ::sqlx::postgres::{
        PgConnectOptions, PgCopyIn, PgDatabaseError, PgPool, PgPoolOptions, PgQueryResult, PgRow,
        PgSeverity,
    };
    pub(super) use ::sqlx::{
        Acquire, Connection, Database, Either, Error, Execute, Executor, PgConnection, Postgres,
        Row, Transaction, TransactionManager,
    };

    use std::borrow::Cow;

    /// Runs `statement` as a simple query: one round trip, nothing prepared.
    pub(super) async fn fetch_one(
        conn: &mut PgConnection,
        statement: &str,
    ) -> Result<PgRow, Error> {
        conn.fetch_one(statement).await
    }

    /// The same for one that may have no row.
    pub(super) async fn fetch_optional(
        conn: &mut PgConnection,
        statement: &str,
    ) -> Result<Option<PgRow>, Error> {
        conn.fetch_optional(statement).await
    }

    /// The same for a statement without rows.
    pub(super) async fn execute(conn: &mut PgConnection, statement: &str) -> Result<(), Error> {
        conn.execute(statement).await.map(drop)
    }

    /// The results and rows of `statements`, separated by `;`, in one round trip.
    pub(super) fn fetch_many<'c>(
        conn: &'c mut PgConnection,
        statements: &'static str,
    ) -> futures_core::stream::BoxStream<'c, Result<Either<PgQueryResult, PgRow>, Error>> {
        conn.fetch_many(statements)
    }

    /// Begins a transaction with `statement`, so that sqlx knows of it.
    pub(super) async fn begin(conn: &mut PgConnection, statement: String) -> Result<(), Error> {
        Manager::begin(conn, Some(Cow::Owned(statement))).await
    }

    pub(super) type Manager = <Postgres as Database>::TransactionManager;
}

#[path = "postgres/cancel.rs"]
mod cancel;
#[path = "postgres/claim.rs"]
mod claim;
#[path = "postgres/commit.rs"]
mod commit;
#[path = "postgres/connection.rs"]
mod connection;
#[path = "postgres/copy.rs"]
mod copy;
#[path = "postgres/execute.rs"]
mod execute;
#[path = "postgres/hooks.rs"]
mod hooks;
#[path = "postgres/options.rs"]
mod options;
#[path = "postgres/pool.rs"]
mod pool;
#[path = "postgres/settle.rs"]
mod settle;
#[path = "postgres/statements.rs"]
mod statements;
#[path = "postgres/transaction.rs"]
mod transaction;

pub use commit::CommitError;
pub use connection::PoolConnection;
pub use options::{PgPoolOptions, WithCtx};
pub use pool::PgPool;
pub use transaction::Transaction;
