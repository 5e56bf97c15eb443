//! x
mod budget;
mod counters;
mod rows;
mod tag;
#[cfg(feature = "sqlx-0_8")]
mod v0_8;
#[cfg(feature = "sqlx-0_9")]
pub mod v0_9;

pub use counters::Counters;
#[cfg(feature = "sqlx-0_8")]
pub use v0_8::{CommitError, PgPool, PgPoolOptions, PoolConnection, Transaction, WithCtx};
