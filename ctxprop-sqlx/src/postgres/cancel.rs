//! Asking the server to stop a statement, on a connection beside the pool: [`Side`].
//!
//! # Invariants
//! 1. What is stopped is what runs under a [`Tag`], and the server decides that at the moment it looks: however late a
//!    request to stop arrives, it cannot hit what runs under another one.
//! 2. `pg_cancel_backend` has sent its signal when its answer comes. So once it has come, and the connection in
//!    question has answered another statement since, nothing of it is left: what a cancel request of PostgreSQL's
//!    protocol does not tell.
//! 3. Where no answer comes the caller hears that, and must not reuse the connection.

use std::time::Duration;

use super::sqlx::{Error, PgConnectOptions, PgPool, PgPoolOptions, PgRow, Row};
use super::{sqlx, statements};
use crate::tag::Tag;

/// How long the side connection is kept when nothing is to be stopped.
const IDLE: Duration = Duration::from_secs(60);
/// How long a request to stop something may take, connecting included.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// One connection, opened when it is first needed.
#[derive(Debug)]
pub(super) struct Side {
    pool: PgPool,
    has_own_way: bool,
}

impl Side {
    /// One that goes its `own_way`, or that of the pool.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as every pool of sqlx's.
    pub(super) fn new(own_way: Option<PgConnectOptions>, pools: &PgConnectOptions) -> Side {
        let pool =
            PgPoolOptions::new().max_connections(1).idle_timeout(IDLE).acquire_timeout(LIMIT);
        let options = quiet(own_way.as_ref().unwrap_or(pools));
        Side { pool: pool.connect_lazy_with(options), has_own_way: own_way.is_some() }
    }

    /// The pool's way is another one now.
    pub(super) fn set_connect_options(&self, pools: &PgConnectOptions) {
        if !self.has_own_way {
            self.pool.set_connect_options(quiet(pools));
        }
    }

    /// Stops what runs under `tag`. Whether something did.
    ///
    /// # Errors
    ///
    /// It is not known whether, or when, the server does it; or it may not be asked (`42501`).
    pub(super) async fn stop(&self, tag: &Tag) -> Result<bool, Error> {
        let mut conn = self.pool.acquire().await?;
        let statement = statements::stop(tag);
        let told = sqlx::fetch_optional(&mut conn, &statement).await?;
        told.map_or(Ok(false), |row: PgRow| row.try_get(0))
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Nothing is prepared, because poolers may stand between, and nothing is logged as a statement of the user's.
fn quiet(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("ctxprop-cancel").statement_cache_capacity(0)
}
