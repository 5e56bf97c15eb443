//! The pool for sqlx 0.9: as [the one for 0.8](crate), with that version's types.
//!
//! See `v0_8.rs` for how one source serves both.

mod executor;

/// What of sqlx 0.9 the shared source names.
mod sqlx {
    pub(super) use sqlx_core_0_9::Either;
    pub(super) use sqlx_core_0_9::acquire::Acquire;
    pub(super) use sqlx_core_0_9::connection::Connection;
    pub(super) use sqlx_core_0_9::database::Database;
    pub(super) use sqlx_core_0_9::error::Error;
    pub(super) use sqlx_core_0_9::executor::{Execute, Executor};
    pub(super) use sqlx_core_0_9::pool::{PoolConnection, PoolConnectionMetadata};
    pub(super) use sqlx_core_0_9::row::Row;
    pub(super) use sqlx_core_0_9::transaction::{Transaction, TransactionManager};
    pub(super) use sqlx_postgres_0_9::{
        PgConnectOptions, PgConnection, PgCopyIn, PgDatabaseError, PgPool, PgPoolOptions,
        PgQueryResult, PgRow, PgSeverity, Postgres,
    };

    use sqlx_core_0_9::sql_str::{AssertSqlSafe, SqlSafeStr};

    /// Runs `statement` as a simple query: one round trip, nothing prepared.
    pub(super) async fn fetch_one(
        conn: &mut PgConnection,
        statement: &str,
    ) -> Result<PgRow, Error> {
        conn.fetch_one(AssertSqlSafe(statement)).await
    }

    /// The same for one that may have no row.
    pub(super) async fn fetch_optional(
        conn: &mut PgConnection,
        statement: &str,
    ) -> Result<Option<PgRow>, Error> {
        conn.fetch_optional(AssertSqlSafe(statement)).await
    }

    /// The same for a statement without rows.
    pub(super) async fn execute(conn: &mut PgConnection, statement: &str) -> Result<(), Error> {
        conn.execute(AssertSqlSafe(statement)).await.map(drop)
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
        Manager::begin(conn, Some(AssertSqlSafe(statement).into_sql_str())).await
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
