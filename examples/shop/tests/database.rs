//! A transaction of SQLite whose request ends at any moment: what `database.rs` and `docs/databases.md` say of it.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/house.rs"]
mod support;

use std::time::Duration;

use ctxprop::{Background, Ctx, propagate};
use shop::{ShopError, database};
use sqlx::Connection;
use sqlx::sqlite::SqlitePool;
use support::Folder;

const LIMIT: Duration = Duration::from_secs(60);

/// As each transaction of the shop is written.
#[propagate]
async fn shielded(pool: &SqlitePool, number: i64) -> Result<(), ShopError> {
    let mut conn = pool.acquire().await?;
    let done = Ctx::current().shield(LIMIT, async move {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO numbers VALUES (?)").bind(number).execute(&mut *tx).await?;
        tx.commit().await
    });
    Ok(done.await??)
}

/// The same without the shield.
#[propagate]
async fn bare(pool: &SqlitePool, number: i64) -> Result<(), ShopError> {
    let mut conn = pool.acquire().await?;
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("INSERT INTO numbers VALUES (?)").bind(number).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// How many rows are there of which nobody was told, and how many transactions could not begin, because one before on the
/// same connection was still open.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wrong {
    unknown: usize,
    open: usize,
}

macro_rules! at_any_moment {
    ($work:ident, $folder:expr) => {{
        let tables = "CREATE TABLE numbers (n INTEGER PRIMARY KEY)";
        let pool = database::open(&$folder.0.join(stringify!($work)), tables).await.unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut wrong = Wrong::default();
        for number in 0..2_000_i64 {
            let (ctx, canceller) = Ctx::background().with_cancel();
            let work = tokio::spawn({
                let pool = pool.clone();
                async move { $work(&pool, number).with(&ctx).await }
            });
            for _ in 0..random.u32(..200) {
                tokio::task::yield_now().await;
            }
            canceller.cancel();
            let told = work.await.unwrap();
            if let Err(ShopError::Database(error)) = &told {
                assert!(error.to_string().contains("transaction depth"), "{error}");
                wrong.open += 1;
            }
            let row = sqlx::query_scalar("SELECT count(*) FROM numbers WHERE n = ?").bind(number);
            let there: i64 = row.fetch_one(&pool).await.unwrap();
            assert!(told.is_err() || there == 1, "it was told of a row that is not there");
            wrong.unknown += usize::from(told.is_err() && there == 1);
        }
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM numbers").fetch_one(&pool).await.unwrap();
        eprintln!("{}: {rows} rows, {wrong:?}", stringify!($work));
        (wrong, pool)
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_shield_it_is_whole_and_known_to_be() {
    let folder = Folder::new("database");
    let (wrong, pool) = at_any_moment!(shielded, folder);
    assert_eq!(wrong, Wrong::default());
    database::nothing_open(&pool).await.unwrap();
    pool.close().await;
    // And that would be seen.
    let (wrong, pool) = at_any_moment!(bare, folder);
    assert_ne!(wrong, Wrong::default());
    pool.close().await;
}
