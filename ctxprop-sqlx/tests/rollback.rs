//! A rollback of one's own while a statement still runs, as in code that cleans up by itself after the end.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::{Duration, Instant};

use common::proxy::Proxy;
use common::{Server, at_rest, root, until};
use ctxprop::{Cancelled, Cause, Ctx};
use ctxprop_sqlx::{PgPool, WithCtx};
use futures_util::TryStreamExt;
use sqlx::Error;
use sqlx::postgres::PgPoolOptions;

const SLEEPS: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' \
    AND query LIKE '%pg_sleep(30)%' AND datname = current_database() AND pid <> pg_backend_pid())";

async fn pid(pool: &PgPool) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_rollback_stops_what_nobody_waits_for() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = server.pool(1).await;
    let before = pid(&pool).await;
    for native in [false, true] {
        let (ctx, canceller) = root().child_span().with_cancel();
        let request = ctx.spawn({
            let pool = pool.clone();
            async move {
                let mut tx = pool.begin().await?;
                let slept = if native {
                    let sleep = sqlx::query("SELECT pg_sleep(30)").execute(&mut *tx);
                    let slept = Ctx::current().run(sleep).await;
                    slept.unwrap_or_else(|ended| Err(Error::Io(ended.into())))
                } else {
                    sqlx::query("SELECT pg_sleep(30)").execute(&mut tx).await
                };
                tx.rollback().await?;
                slept
            }
        });
        until(&mut admin, SLEEPS).await;
        let ended = Instant::now();
        canceller.cancel_with(Cause::Disconnected);
        let error = request.await.unwrap_or_else(|c| Err(Error::Io(c.into()))).unwrap_err();
        assert!(Cancelled::find_in(&error).is_some(), "{error}");
        // Not after 30 s, nor after the 10 s of the limit.
        assert!(ended.elapsed() < Duration::from_secs(5), "{:?}", ended.elapsed());
        assert_eq!(pid(&pool).await, before);
    }
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.closed), (2, 0));
}

#[tokio::test]
async fn a_rollback_stops_rows_that_nobody_reads() {
    let Some(server) = Server::start().await else { return };
    let pool = server.pool(1).await;
    let before = pid(&pool).await;
    let work = async {
        let mut tx = pool.begin().await.unwrap();
        let mut rows = sqlx::query("SELECT generate_series(1, 1000000000)").fetch(&mut tx);
        rows.try_next().await.unwrap().unwrap();
        drop(rows);
        tx.rollback().await.unwrap();
    };
    root().scope(work).await;
    assert_eq!(pid(&pool).await, before);
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.closed), (1, 0));
}

#[tokio::test]
async fn a_rollback_that_is_not_answered_closes() {
    let Some(server) = Server::start().await else { return };
    let proxy = Proxy::before(server.port).await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .with_ctx()
        .cleanup_limit(Duration::from_millis(100))
        .connect_with(proxy.options(&server))
        .await
        .unwrap();
    let before = pid(&pool).await;
    let tx = root().scope(pool.begin()).await.unwrap();
    proxy.stall(true);
    tx.rollback().await.unwrap_err();
    assert_eq!(pool.counters().closed, 1);
    proxy.stall(false);
    assert_ne!(pid(&pool).await, before);
    at_rest(&pool).await;
}
