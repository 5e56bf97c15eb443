//! A statement on the pool, on a connection or in a transaction: runs it there and ends it with its context.
//!
//! `Executor` has other signatures in each version of sqlx, so `executor.rs` of the version calls what is here.

use std::sync::atomic::Ordering::Relaxed;

use ctxprop::Ctx;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;

use super::claim::bounded;
use super::connection::PoolConnection;
use super::pool::PgPool;
use super::sqlx::{Either, Error, Execute, Executor, PgConnection, PgQueryResult, PgRow, Postgres};
use super::transaction::Transaction;
use crate::rows::rows;

/// Where a statement is to run.
pub(super) enum Source<'c> {
    Pool(PgPool),
    Connection(&'c mut PoolConnection),
    Transaction(&'c mut Transaction),
}

/// Where it runs.
pub(super) enum Held<'c> {
    Own(PoolConnection),
    /// Behind a pooler: a transaction for one statement.
    Transaction(Transaction),
    Borrowed(&'c mut PoolConnection),
}

impl<'c> Source<'c> {
    /// Whether it is worth asking: what comes too late takes no connection, and what is over no statement.
    pub(super) fn check(&self) -> Result<Option<Ctx>, Error> {
        match self {
            Source::Pool(pool) => pool.check(),
            Source::Connection(_) => Ok(Ctx::try_current()),
            Source::Transaction(tx) => tx.check().map(|()| Ctx::try_current()),
        }
    }

    pub(super) async fn open(self) -> Result<Held<'c>, Error> {
        Ok(match self {
            Source::Pool(pool) if pool.is_behind_pooler() => Held::Transaction(pool.begin().await?),
            Source::Pool(pool) => Held::Own(pool.acquire().await?),
            Source::Connection(conn) => Held::Borrowed(conn),
            Source::Transaction(tx) => Held::Borrowed(tx.connection()),
        })
    }
}

impl Held<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.lease().parts().0
    }

    fn is_behind_pooler(&mut self) -> bool {
        self.lease().shared().settings.pooler
    }

    fn lease(&mut self) -> &mut PoolConnection {
        match self {
            Held::Own(conn) => conn,
            Held::Transaction(tx) => tx.connection(),
            Held::Borrowed(conn) => conn,
        }
    }

    /// Lets go, and says what `result` is to the caller.
    pub(super) async fn close<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        let conn = self.lease();
        conn.has_read();
        let (_, claim, shared) = conn.parts();
        let value = result.map_err(|error| claim.explain(error, shared))?;
        if let Held::Transaction(tx) = self {
            tx.commit().await?;
        }
        Ok(value)
    }
}

/// A query that may be prepared under a name, or not: behind a pooler the next session does not know the name, or knows
/// another statement by it. `executor.rs` of the version makes an [`Execute`] of it.
pub(super) struct Named<E> {
    pub(super) query: E,
    pub(super) is_named: bool,
}

pub(super) fn fetch_many<'e, 'q: 'e, E>(
    source: Source<'e>,
    query: E,
) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
where
    E: 'q + Execute<'q, Postgres>,
{
    Box::pin(rows(move |out| async move {
        let ctx = source.check()?;
        let work = async move {
            let mut held = source.open().await?;
            let query = Named { query, is_named: !held.is_behind_pooler() };
            let (conn, reads_rows) = held.lease().reading();
            let result = async {
                let mut results = conn.fetch_many(query);
                while let Some(result) = results.try_next().await? {
                    if result.is_right() {
                        reads_rows.store(true, Relaxed);
                    }
                    out.give(result).await;
                }
                Ok(())
            };
            let result = result.await;
            held.close(result).await
        };
        bounded(ctx, work).await
    }))
}

pub(super) fn fetch_optional<'e, 'q: 'e, E>(
    source: Source<'e>,
    query: E,
) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
where
    E: 'q + Execute<'q, Postgres>,
{
    Box::pin(async move {
        let ctx = source.check()?;
        let work = async move {
            let mut held = source.open().await?;
            let query = Named { query, is_named: !held.is_behind_pooler() };
            let result = held.connection().fetch_optional(query).await;
            held.close(result).await
        };
        bounded(ctx, work).await
    })
}
