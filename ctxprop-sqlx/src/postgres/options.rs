//! How a pool is made: [`WithCtx`], which turns sqlx's `PgPoolOptions` into ours, and what all its parts share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use futures_core::future::BoxFuture;
use tokio::runtime::Handle;

use super::cancel::Side;
use super::hooks::{self, Hooks};
use super::pool::PgPool;
use super::sqlx::{self, Error, PgConnectOptions, PgConnection, PoolConnectionMetadata};
use crate::counters::Counts;

/// sqlx's `PgPoolOptions`, with contexts.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sqlx-0_8")]
/// # fn options() {
/// use std::time::Duration;
///
/// use ctxprop_sqlx::WithCtx;
/// use sqlx::postgres::PgPoolOptions;
///
/// let options = PgPoolOptions::new().max_connections(10).with_ctx().cleanup_limit(Duration::from_secs(5));
/// # drop(options);
/// # }
/// ```
pub trait WithCtx {
    /// A pool whose connections know the context that uses them.
    ///
    /// It takes the place of what was given to `before_acquire`, `after_connect` and `after_release` before, since sqlx
    /// has one of each and does not tell them: give yours to what this returns. `test_before_acquire` is off; what is
    /// sent in its place tests the connection as well.
    fn with_ctx(self) -> PgPoolOptions;
}

impl WithCtx for sqlx::PgPoolOptions {
    fn with_ctx(self) -> PgPoolOptions {
        PgPoolOptions {
            inner: self,
            hooks: Hooks::default(),
            settings: Settings::default(),
            stop_through: None,
        }
    }
}

/// Options of a [`PgPool`]: sqlx's, made with [`WithCtx::with_ctx`], and some more.
#[must_use = "options make no pool before one of the `connect` methods"]
#[derive(Clone)]
pub struct PgPoolOptions {
    inner: sqlx::PgPoolOptions,
    hooks: Hooks,
    settings: Settings,
    /// How to reach the server to stop something, where that is another way.
    stop_through: Option<PgConnectOptions>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) cleanup_limit: Duration,
    pub(super) pooler: bool,
    /// Whether the user sets something of their own each time a connection is given out.
    pub(super) has_before_acquire: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cleanup_limit: Duration::from_secs(10),
            pooler: false,
            has_before_acquire: false,
        }
    }
}

impl PgPoolOptions {
    /// How long a connection is kept for its cleaning, and a commit waited for after the end of its context, before the
    /// connection is closed; 10 s by default.
    pub fn cleanup_limit(mut self, limit: Duration) -> Self {
        self.settings.cleanup_limit = limit;
        self
    }

    /// For a server behind a pooler that gives a server's session to others after each transaction, such as pgbouncer
    /// in transaction mode: nothing is set in the session, only in transactions, and a statement given to the pool
    /// itself runs in a transaction of its own, two round trips more. Give `statement_cache_capacity(0)` to the
    /// connect options, too, unless the pooler knows prepared statements.
    pub fn behind_pooler(mut self) -> Self {
        self.settings.pooler = true;
        self
    }

    /// Another way to the server for the connection that stops statements; by default it is the pool's.
    ///
    /// Behind a pooler that is full, what is to be stopped keeps out the request to stop it: then a way that leads to the
    /// server itself is better.
    pub fn stop_through(mut self, options: PgConnectOptions) -> Self {
        self.stop_through = Some(options);
        self
    }

    /// sqlx's `after_connect`. A `statement_timeout` or `application_name` set there is what connections go back to.
    pub fn after_connect<F>(mut self, hook: F) -> Self
    where
        for<'c> F: Fn(&'c mut PgConnection, PoolConnectionMetadata) -> BoxFuture<'c, Result<(), Error>>
            + 'static
            + Send
            + Sync,
    {
        self.hooks.after_connect = Some(Arc::new(hook));
        self
    }

    /// sqlx's `before_acquire`.
    pub fn before_acquire<F>(mut self, hook: F) -> Self
    where
        for<'c> F: Fn(&'c mut PgConnection, PoolConnectionMetadata) -> BoxFuture<'c, Result<bool, Error>>
            + 'static
            + Send
            + Sync,
    {
        self.hooks.before_acquire = Some(Arc::new(hook));
        self.settings.has_before_acquire = true;
        self
    }

    /// sqlx's `after_release`. It is given connections that have come to rest.
    pub fn after_release<F>(mut self, hook: F) -> Self
    where
        for<'c> F: Fn(&'c mut PgConnection, PoolConnectionMetadata) -> BoxFuture<'c, Result<bool, Error>>
            + 'static
            + Send
            + Sync,
    {
        self.hooks.after_release = Some(Arc::new(hook));
        self
    }

    /// Makes the pool, and opens one connection at once.
    ///
    /// # Errors
    ///
    /// The URL is none, or the connection cannot be opened.
    pub async fn connect(self, url: &str) -> Result<PgPool, Error> {
        self.connect_with(url.parse()?).await
    }

    /// The same with connect options.
    ///
    /// # Errors
    ///
    /// The connection cannot be opened.
    pub async fn connect_with(self, options: PgConnectOptions) -> Result<PgPool, Error> {
        let (inner, shared) = self.parts(&options);
        Ok(PgPool::new(inner.connect_with(options).await?, shared))
    }

    /// Makes the pool, and opens connections when they are asked for.
    ///
    /// # Errors
    ///
    /// The URL is none.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect_lazy(self, url: &str) -> Result<PgPool, Error> {
        Ok(self.connect_lazy_with(url.parse()?))
    }

    /// The same with connect options.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect_lazy_with(self, options: PgConnectOptions) -> PgPool {
        let (inner, shared) = self.parts(&options);
        PgPool::new(inner.connect_lazy_with(options), shared)
    }

    fn parts(self, options: &PgConnectOptions) -> (sqlx::PgPoolOptions, Arc<Shared>) {
        let shared = Arc::new(Shared {
            counts: Counts::default(),
            settings: self.settings,
            side: Side::new(self.stop_through, options),
            own_timeout: AtomicI64::new(0),
            opening: Opening::default(),
            runtime: Handle::current(),
        });
        (hooks::install(self.inner, self.hooks, &shared), shared)
    }
}

impl fmt::Debug for PgPoolOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgPoolOptions")
            .field("sqlx", &self.inner)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What the pool, its connections and its hooks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) counts: Counts,
    pub(super) settings: Settings,
    pub(super) side: Side,
    /// The user's own `statement_timeout` in milliseconds, as the newest connection had it; 0 is none.
    own_timeout: AtomicI64,
    pub(super) opening: Opening,
    /// That in which the pool was made: what is given back outside of any goes back in it.
    pub(super) runtime: Handle,
}

/// How many tasks open connections: not more than the pool may have.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening(Arc<()>);

impl Opening {
    /// To be held by a task that opens one; nothing where none is to be opened.
    pub(super) fn begin(&self, pool: &sqlx::PgPool) -> Option<Opening> {
        let most = pool.options().get_max_connections();
        let tasks = u32::try_from(Arc::strong_count(&self.0) - 1).unwrap_or(most);
        let opens = pool.num_idle() == 0 && pool.size() < most && tasks < most;
        opens.then(|| self.clone())
    }
}

impl Shared {
    pub(super) fn set_own_timeout(&self, millis: i64) {
        self.own_timeout.store(millis, Relaxed);
    }

    /// Whether the user's own timeout is to stay, where ours would be `millis`.
    pub(super) fn own_is_shorter(&self, millis: i32) -> bool {
        let own = self.own_timeout.load(Relaxed);
        own > 0 && own <= i64::from(millis)
    }
}
