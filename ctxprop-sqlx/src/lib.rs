//! sqlx's PostgreSQL pool with a [`Ctx`]: the budget reaches the server, a statement stops when its request does, and a
//! connection goes back to the pool only when it is known to be clean.
//!
//! ```no_run
//! # #[cfg(feature = "sqlx-0_8")]
//! # mod example {
//! use ctxprop::propagate;
//! use ctxprop_sqlx::{CommitError, PgPool, WithCtx};
//! use sqlx::postgres::PgPoolOptions;
//!
//! async fn pool() -> Result<PgPool, sqlx::Error> {
//!     PgPoolOptions::new().max_connections(10).with_ctx().connect("postgres://localhost/shop").await
//! }
//!
//! #[propagate]
//! async fn stock(pool: &PgPool, article: i64) -> Result<i32, sqlx::Error> {
//!     sqlx::query_scalar("SELECT stock FROM articles WHERE id = $1").bind(article).fetch_one(pool).await
//! }
//!
//! #[propagate]
//! async fn take(pool: &PgPool, article: i64) -> Result<(), CommitError> {
//!     let mut tx = pool.begin().await?;
//!     sqlx::query("UPDATE articles SET stock = stock - 1 WHERE id = $1")
//!         .bind(article)
//!         .execute(&mut tx)
//!         .await?;
//!     tx.commit().await
//! }
//! # }
//! ```
//!
//! sqlx's API stays as it is: queries, macros, rows, types, migrations. The pool is another one, made of sqlx's options by
//! [`WithCtx::with_ctx`]; it is an `Executor`, an `Acquire`, and sqlx's own `PgPool` by `Deref`. The context is the one that
//! is current where a future is awaited; without one the pool does what sqlx's does, cleaner.
//!
//! # What becomes of a request
//!
//! | when | then |
//! | --- | --- |
//! | the context has ended, or less than 1 ms is left | [`Cancelled`](ctxprop::Cancelled); no connection is taken |
//! | it waits for a connection | that is part of its budget |
//! | it has a connection, or begins a transaction | the server is told whose it is (`application_name` is `<trace id>-<span id>`), and a `statement_timeout` a little below what remains; no round trip more than sqlx makes |
//! | the server's timeout passes | the server's own error comes first, and is [`Cancelled`](ctxprop::Cancelled) with [`DeadlineExceeded`](ctxprop::Cause::DeadlineExceeded) |
//! | the context ends otherwise: cancelled, disconnected, shut down | [`Cancelled`](ctxprop::Cancelled) at once; the server is asked to stop the statement, and meanwhile the connection is nobody else's |
//! | a future is dropped in the middle | the same, without the error |
//! | it ends in a transaction | rolled back; where you roll back yourself, what still runs is stopped first |
//! | the begin of a savepoint fails or is given up | sqlx rolls back all of the transaction: statements on `&mut tx` are refused after that, and its commit is [`CommitError::Failed`] |
//! | it ends while a commit is under way | the commit is seen through: see [`Transaction::commit`] |
//! | the answer to a commit does not come | [`CommitError::Unknown`] |
//! | a shorter `statement_timeout` is the user's own | it stays; when it passes, the error is PostgreSQL's |
//!
//! `Cancelled` is inside of sqlx's `Error::Io`: [`Cancelled::find_in`](ctxprop::Cancelled::find_in) finds it.
//!
//! # When a connection is reused
//!
//! Only when all that was sent is answered, no request to stop something is under way, the session is outside of a
//! transaction, and timeout and name are what they were. What cannot be brought to that within
//! [`cleanup_limit`](PgPoolOptions::cleanup_limit) is closed.
//!
//! To stop a statement takes a second connection to the server, opened when the first one is to be stopped and closed when
//! none has been for a minute. The role must be the pool's own, and may see itself in `pg_stat_activity` and call
//! `pg_cancel_backend`, as every role may unless that was revoked. Otherwise the connection is closed, and a server of
//! PostgreSQL 14 or later notices and stops within 100 ms (`client_connection_check_interval`, set where it is not).
//!
//! # With sqlx's own pool
//!
//! sea-orm and others ask for an `sqlx::PgPool`: give them `(*pool).clone()`. Budgets reach the server, names are told, and no
//! connection comes back in a transaction. Only, sqlx tells its hooks nothing by which to know a connection, so a
//! statement that nobody waits for is stopped by closing its connection, a quarter of a second later.
//!
//! # What it does not do
//!
//! - A statement given to `&mut *conn` or `&mut *tx` is sqlx's own: it ends where its future is dropped, as a leaf does at
//!   the end, and its `57014` stays one. Given `&mut conn` or `&mut tx` it ends by itself, and is [`Cancelled`](ctxprop::Cancelled).
//! - The second statement on a connection has the timeout of the first: PostgreSQL counts each one from its beginning. The
//!   end of the context stops it all the same.
//! - A stream of rows on `&mut *conn`, or on sqlx's own pool, that is dropped halfway is read to its end by one poll as long as
//!   rows come faster than they are read, as in sqlx itself. On `&pool`, `&mut conn` and `&mut tx` it is stopped first.
//! - sqlx does not count what is still to come of a `COPY` that is dropped halfway. That of
//!   [`PoolConnection::copy_out_raw`], and of a [`Transaction`], is stopped and its connection closed. On `&mut *conn` or sqlx's
//!   own pool it runs on; its connection is closed at the latest when it is asked for again.
//! - A statement on `&mut tx` that is given up while the transaction goes on runs on: the next one waits for it, as in sqlx. A
//!   rollback stops it.
//! - sqlx's `try_acquire` and `try_begin` call no hooks: the server is told nothing.
//! - Whether a write was done cannot be known where its answer is lost. See `docs/databases.md`.
//!
//! # What is logged
//!
//! All of target `ctxprop`; `tag` is the `application_name`. sqlx logs the statements of this crate as it does all others.
//!
//! | level | what | fields |
//! | --- | --- | --- |
//! | debug | a connection was taken | `tag`, `parent_id`, `timeout_ms` |
//! | info | no connection was asked for: nothing is left | `cause` |
//! | info | the server gave up a statement: the budget is used up | `tag`, `timeout_ms` |
//! | info | the server was asked to stop a statement nobody waits for | `tag` |
//! | warn | a connection came back in a transaction | |
//! | warn | a connection is closed, because it is not known to be clean | `why`, `tag` |
//! | warn | the answer to a commit was lost | `error`, `tag` |
//!
//! [`PgPool::counters`] counts them.
//!
//! # Features
//!
//! `sqlx-0_8`, on by default, is for sqlx 0.8. `sqlx-0_9` is for sqlx 0.9, in the module `v0_9`, and wants Rust 1.94 as that
//! does. TLS is sqlx's: depend on it with the feature you choose.
//!
//! [`Ctx`]: ctxprop::Ctx

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    all(feature = "sqlx-0_8", feature = "sqlx-0_9"),
    allow(clippy::duplicate_mod, reason = "one source serves both versions of sqlx")
)]
#![cfg_attr(
    not(feature = "sqlx-0_8"),
    allow(rustdoc::broken_intra_doc_links, reason = "they name types of sqlx 0.8's pool")
)]

#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
mod budget;
#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
mod counters;
#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
mod rows;
#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
mod tag;
#[cfg(feature = "sqlx-0_8")]
mod v0_8;
#[cfg(feature = "sqlx-0_9")]
pub mod v0_9;

#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
pub use counters::Counters;
#[cfg(feature = "sqlx-0_8")]
pub use v0_8::{CommitError, PgPool, PgPoolOptions, PoolConnection, Transaction, WithCtx};
