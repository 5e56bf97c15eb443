//! The pool that knows contexts: [`PgPool`].
//!
//! # Invariants
//! 1. Waiting for a connection is part of the budget, and ends with the context.
//! 2. A connection that is being opened is opened, although who asked for it is gone: under budgets that are shorter than
//!    that takes, a pool would never have one.
//! 3. Where a connection had died while it was idle another one is tried, as sqlx does after its ping.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use ctxprop::Ctx;
use futures_core::future::BoxFuture;
use tokio::sync::oneshot;

use super::claim::{self, Claim, bounded};
use super::connection::PoolConnection;
use super::hooks;
use super::options::Shared;
use super::sqlx::{self, Acquire, Error, PgConnectOptions, Postgres};
use super::transaction::Transaction;
use crate::counters::Counters;

/// A pool of connections to PostgreSQL that knows contexts: sqlx's `PgPool` by `Deref`, and an `Executor` in its place.
///
/// `&pool` is what `query.fetch_all(&pool)` takes, macros included. What asks for sqlx's own pool takes `(*pool).clone()`;
/// budgets reach the server there too, and connections stay clean, but a statement that nobody waits for is stopped by
/// closing its connection.
///
/// # Examples
///
/// ```no_run
/// # #[cfg(feature = "sqlx-0_8")]
/// # mod example {
/// use ctxprop::propagate;
/// use ctxprop_sqlx::{CommitError, PgPool};
///
/// #[propagate]
/// async fn order(pool: &PgPool, article: i64) -> Result<i64, CommitError> {
///     let mut tx = pool.begin().await?;
///     sqlx::query("UPDATE stock SET left_over = left_over - 1 WHERE article = $1")
///         .bind(article)
///         .execute(&mut tx)
///         .await?;
///     let id = sqlx::query_scalar("INSERT INTO orders (article) VALUES ($1) RETURNING id")
///         .bind(article)
///         .fetch_one(&mut tx)
///         .await?;
///     tx.commit().await?;
///     Ok(id)
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct PgPool {
    inner: sqlx::PgPool,
    shared: Arc<Shared>,
}

impl PgPool {
    pub(super) fn new(inner: sqlx::PgPool, shared: Arc<Shared>) -> Self {
        PgPool { inner, shared }
    }

    pub(super) fn is_behind_pooler(&self) -> bool {
        self.shared.settings.pooler
    }

    /// A connection, for the context that is current: its `application_name` is trace and span, and its
    /// `statement_timeout` a little less than what remains of the budget.
    ///
    /// # Errors
    ///
    /// Those of sqlx's `acquire`, and [`Cancelled`](ctxprop::Cancelled) as [`Error::Io`] where nothing is left of the
    /// budget, or the context ends meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it takes no connection; one that is being opened for it goes to the pool.
    pub fn acquire(&self) -> impl Future<Output = Result<PoolConnection, Error>> + Send + 'static {
        let pool = self.clone();
        async move {
            let claim = Claim::current(&pool.shared)?;
            bounded(claim.ctx().cloned(), pool.taken(claim)).await
        }
    }

    /// Begins a transaction, for the context that is current: one round trip on a connection that is open.
    ///
    /// # Errors
    ///
    /// As [`acquire`](PgPool::acquire), and those of the server.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves no transaction behind.
    pub fn begin(&self) -> impl Future<Output = Result<Transaction, Error>> + Send + 'static {
        self.begin_with("BEGIN")
    }

    /// The same with a statement of your own, such as `BEGIN ISOLATION LEVEL SERIALIZABLE`.
    ///
    /// # Errors
    ///
    /// As [`begin`](PgPool::begin), and [`Error::BeginFailed`] where the statement begins no transaction.
    ///
    /// # Cancel safety
    ///
    /// As [`begin`](PgPool::begin).
    pub fn begin_with(
        &self,
        statement: &'static str,
    ) -> impl Future<Output = Result<Transaction, Error>> + Send + 'static {
        let pool = self.clone();
        async move {
            let claim = Claim::current(&pool.shared)?;
            bounded(claim.ctx().cloned(), pool.begun(claim, statement)).await
        }
    }

    /// What has become of statements and connections so far.
    pub fn counters(&self) -> Counters {
        self.shared.counts.read()
    }

    /// sqlx's `set_connect_options`, for the connection that stops statements, too.
    pub fn set_connect_options(&self, options: PgConnectOptions) {
        self.shared.side.set_connect_options(&options);
        self.inner.set_connect_options(options);
    }

    /// Closes the pool: waits until all connections have come back, or are closed.
    pub async fn close(&self) {
        self.inner.close().await;
        self.shared.side.close().await;
    }

    /// The context that is current; an error where nothing is left of it.
    pub(super) fn check(&self) -> Result<Option<Ctx>, Error> {
        claim::current(&self.shared)
    }

    /// A connection that the server was told of.
    async fn taken(&self, claim: Claim) -> Result<PoolConnection, Error> {
        let mut tries = self.tries();
        loop {
            let mut conn = self.untold(&claim).await?;
            match conn.take().await {
                Ok(true) => return Ok(conn),
                Ok(false) => conn.close_unclean("it was in a transaction"),
                Err(error) => {
                    let known = conn.claim().clone();
                    if !conn.died(&error) || tries.next().is_none() {
                        return Err(known.explain(error, &self.shared));
                    }
                }
            }
        }
    }

    async fn begun(&self, claim: Claim, statement: &'static str) -> Result<Transaction, Error> {
        // Whatever the user sets when a connection is given out is to stay where it is shorter; only the server can tell.
        if self.shared.settings.has_before_acquire {
            let mut conn = self.taken(claim).await?;
            conn.begin(statement).await?;
            return Ok(Transaction::new(conn));
        }
        let mut tries = self.tries();
        loop {
            let mut conn = self.untold(&claim).await?;
            match conn.begin(statement).await {
                Ok(()) => return Ok(Transaction::new(conn)),
                Err(error) => {
                    let known = conn.claim().clone();
                    if !conn.died(&error) || tries.next().is_none() {
                        return Err(known.explain(error, &self.shared));
                    }
                }
            }
        }
    }

    /// All connections may have died, and then there is room for a new one.
    fn tries(&self) -> std::ops::Range<u32> {
        0..self.inner.options().get_max_connections()
    }

    /// A connection as the pool has it: the server is still to be told.
    async fn untold(&self, claim: &Claim) -> Result<PoolConnection, Error> {
        let conn = match self.shared.opening.begin(&self.inner) {
            Some(opening) => {
                let (give, given) = oneshot::channel();
                let pool = self.inner.clone();
                tokio::spawn(async move {
                    let conn = hooks::ours(pool.acquire()).await;
                    drop(opening);
                    // Whom nobody waits for any more goes to the pool.
                    drop(give.send(conn));
                });
                given.await.map_err(|_| Error::PoolClosed)??
            }
            None => hooks::ours(Box::pin(self.inner.acquire())).await?,
        };
        Ok(PoolConnection::new(conn, claim.clone(), Arc::clone(&self.shared)))
    }
}

impl Deref for PgPool {
    type Target = sqlx::PgPool;

    fn deref(&self) -> &sqlx::PgPool {
        &self.inner
    }
}

impl fmt::Debug for PgPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgPool")
            .field("sqlx", &self.inner)
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

/// For code that is generic over where its connection comes from. Its transactions are sqlx's own, as on sqlx's pool.
impl<'c> Acquire<'c> for &'_ PgPool {
    type Database = Postgres;
    type Connection = PoolConnection;

    fn acquire(self) -> BoxFuture<'static, Result<PoolConnection, Error>> {
        Box::pin(PgPool::acquire(self))
    }

    fn begin(self) -> BoxFuture<'static, Result<sqlx::Transaction<'c, Postgres>, Error>> {
        let pool = self.inner.clone();
        Box::pin(
            async move { bounded(Ctx::try_current(), async move { pool.begin().await }).await },
        )
    }
}
