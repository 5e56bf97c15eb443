//! The same source serves sqlx 0.9: what `budget.rs`, `stop.rs`, `clean.rs` and `transaction.rs` show, once more with it.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::{Server, root, until};
use ctxprop::{Cancelled, Cause};
use ctxprop_sqlx::v0_9::{CommitError, PgPool, WithCtx};
use sqlx_0_9 as sqlx;
use sqlx_0_9::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx_0_9::{Acquire, Error, Executor, Row};

async fn pool(server: &Server, connections: u32) -> PgPool {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(server.port)
        .username("postgres")
        .database(server.database())
        .application_name("the service");
    PgPoolOptions::new()
        .max_connections(connections)
        .with_ctx()
        .connect_with(options)
        .await
        .unwrap()
}

async fn pid(executor: impl sqlx::PgExecutor<'_>) -> Result<i32, Error> {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(executor).await
}

#[tokio::test]
async fn the_budget_reaches_the_server_and_its_end_stops_it() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = pool(&server, 1).await;
    let before = pid(&pool).await.unwrap();
    let ctx = root().child_span().with_timeout(Duration::from_secs(60));
    let look = "SELECT current_setting('application_name'), current_setting('statement_timeout')";
    let told = ctx.scope(async { sqlx::query_as(look).fetch_one(&pool).await });
    let (name, timeout): (String, String) = told.await.unwrap();
    assert!(name.starts_with(&ctx.span().trace_id().to_string()) && timeout.ends_with("ms"));

    let (ctx, canceller) = root().child_span().with_cancel();
    let sleeper = ctx.spawn({
        let pool = pool.clone();
        async move { sqlx::query("SELECT pg_sleep(30)").execute(&pool).await.map(drop) }
    });
    let asleep = "EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND \
        query LIKE '%pg_sleep(30)%' AND datname = current_database() AND pid <> pg_backend_pid())";
    until(&mut admin, &format!("SELECT {asleep}")).await;
    canceller.cancel_with(Cause::Disconnected);
    let error = sleeper.await.unwrap_or_else(|c| Err(Error::Io(c.into()))).unwrap_err();
    assert_eq!(Cancelled::find_in(&error).unwrap().cause(), &Cause::Disconnected);
    until(&mut admin, &format!("SELECT NOT {asleep}")).await;
    assert_eq!(pid(&pool).await.unwrap(), before);
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.closed), (1, 0));
}

#[tokio::test]
async fn transactions_end_clean_and_say_what_became_of_them() {
    let Some(server) = Server::start().await else { return };
    let pool = pool(&server, 1).await;
    let before = pid(&pool).await.unwrap();
    pool.execute("CREATE TABLE t (id int)").await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("INSERT INTO t VALUES ($1)").bind(1).execute(&mut tx).await.unwrap();
    let mut inner = Acquire::begin(&mut tx).await.unwrap();
    inner.execute("INSERT INTO t VALUES (1)").await.unwrap();
    inner.commit().await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    (&mut *tx).execute("SELECT 1 / 0").await.unwrap_err();
    assert!(matches!(tx.commit().await.unwrap_err(), CommitError::Failed(_)));

    for round in 0_i32..120 {
        let work = async {
            let mut tx = pool.begin().await?;
            sqlx::query("INSERT INTO t VALUES ($1)").bind(2 + round).execute(&mut tx).await?;
            tx.commit().await.map_err(Error::from)
        };
        let mut left = round % 12;
        {
            let mut work = pin!(work);
            poll_fn(|cx| {
                left -= 1;
                match left {
                    ..0 => Poll::Ready(()),
                    _ => work.as_mut().poll(cx).map(drop),
                }
            })
            .await;
        }
        let idle = sqlx::raw_sql("SELECT now() = statement_timestamp()");
        assert!(idle.fetch_one(&pool).await.unwrap().get::<bool, _>(0));
    }
    assert_eq!(pid(&pool).await.unwrap(), before);
    let ones: i64 =
        sqlx::query_scalar("SELECT count(*) FROM t WHERE id = 1").fetch_one(&pool).await.unwrap();
    assert_eq!(ones, 2);
    assert_eq!(pool.counters().closed, 0);
}
