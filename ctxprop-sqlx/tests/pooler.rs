//! Behind pgbouncer in transaction mode: what is set is set in transactions only, and nothing of it reaches whoever gets
//! the server's session next.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use common::pgbouncer::Pgbouncer;
use common::{Server, at_rest, root, until};
use ctxprop::{Cancelled, Cause};
use ctxprop_sqlx::{PgPool, WithCtx};
use sqlx::Error;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

async fn pool(server: &Server, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(4)
        .with_ctx()
        .behind_pooler()
        .stop_through(server.options())
        .connect_with(options)
        .await
        .unwrap()
}

const LOOK: &str =
    "SELECT current_setting('application_name'), current_setting('statement_timeout')";

#[tokio::test]
async fn only_transactions_carry_what_is_set() {
    let Some(server) = Server::start().await else { return };
    let Some(pgbouncer) = Pgbouncer::before(&server) else { return };
    let pool = pool(&server, pgbouncer.options(&server)).await;
    let ctx = root().child_span().with_timeout(Duration::from_secs(60));
    let trace = ctx.span().trace_id().to_string();
    let work = async {
        // A statement of its own, with arguments: in a transaction, so that pgbouncer keeps it together.
        let (name, timeout): (String, String) =
            sqlx::query_as(&format!("{LOOK} WHERE $1 = 'x'")).bind("x").fetch_one(&pool).await?;
        assert!(name.starts_with(&trace) && timeout.ends_with("ms"), "{name} {timeout}");
        let mut tx = pool.begin().await?;
        let (name, timeout): (String, String) = sqlx::query_as(LOOK).fetch_one(&mut tx).await?;
        assert!(name.starts_with(&trace) && timeout.ends_with("ms"), "{name} {timeout}");
        tx.commit().await?;
        Ok::<_, Error>(())
    };
    ctx.scope(work).await.unwrap();
    // Whoever has the sessions next, all at the same time.
    let plain = PgPoolOptions::new().max_connections(3);
    let plain = plain.connect_with(pgbouncer.options(&server)).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(plain.begin().await.unwrap());
    }
    for tx in &mut all {
        let look = sqlx::query_as(LOOK).persistent(false);
        let (name, timeout): (String, String) = look.fetch_one(&mut **tx).await.unwrap();
        assert!(!name.contains(&trace), "{name}");
        assert_eq!(timeout, "0");
    }
}

#[tokio::test]
async fn what_ends_is_stopped_and_only_that() {
    let Some(server) = Server::start().await else { return };
    let Some(pgbouncer) = Pgbouncer::before(&server) else { return };
    let mut admin = server.admin().await;
    let pool = pool(&server, pgbouncer.options(&server)).await;
    let asleep = |not: &str| {
        format!(
            "SELECT {not} EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND \
             query LIKE '%pg_sleep(30)%' AND datname = current_database() AND pid <> pg_backend_pid())"
        )
    };
    // Through pgbouncer, too, where a session is free.
    let through = PgPoolOptions::new().max_connections(4).with_ctx().behind_pooler();
    let through = through.connect_with(pgbouncer.options(&server)).await.unwrap();
    for (pool, in_transaction) in [(&pool, false), (&pool, true), (&through, true)] {
        let (ctx, canceller) = root().child_span().with_cancel();
        let sleeper = ctx.spawn({
            let pool = pool.clone();
            async move {
                if in_transaction {
                    let mut tx = pool.begin().await?;
                    sqlx::query("SELECT pg_sleep(30)").execute(&mut tx).await?;
                    return tx.commit().await.map_err(Error::from);
                }
                sqlx::query("SELECT pg_sleep(30)").execute(&pool).await.map(drop)
            }
        });
        until(&mut admin, &asleep("")).await;
        // Somebody else at the same time, on the other session.
        let other = root().child_span();
        let other = other.spawn({
            let pool = pool.clone();
            async move { sqlx::query("SELECT pg_sleep(0.5)").execute(&pool).await.map(drop) }
        });
        canceller.cancel_with(Cause::Disconnected);
        assert!(!matches!(sleeper.await, Ok(Ok(()))));
        until(&mut admin, &asleep("NOT")).await;
        other.await.unwrap().unwrap();
    }
    for (pool, times) in [(&pool, 2), (&through, 1)] {
        at_rest(pool).await;
        let counters = pool.counters();
        assert_eq!((counters.cancelled, counters.closed), (times, 0));
    }
    let ctx = root().with_timeout(Duration::from_millis(200));
    let slept = ctx.scope(async { sqlx::query("SELECT pg_sleep(30)").execute(&pool).await }).await;
    assert!(Cancelled::find_in(&slept.unwrap_err()).is_some_and(Cancelled::is_deadline));
    until(&mut admin, &asleep("NOT")).await;
}

#[tokio::test]
async fn random_ends_leave_no_transaction() {
    let Some(server) = Server::start().await else { return };
    let Some(pgbouncer) = Pgbouncer::before(&server) else { return };
    let mut admin = server.admin().await;
    sqlx::query("CREATE TABLE t (id int)").execute(&mut admin).await.unwrap();
    let pool = pool(&server, pgbouncer.options(&server)).await;
    let tasks: Vec<_> = (0..150)
        .map(|id| {
            let budget = Duration::from_micros(fastrand::u64(1_000..400_000));
            let ctx = root().child_span().with_timeout(budget);
            let pool = pool.clone();
            tokio::spawn(ctx.run(async move {
                let mut tx = pool.begin().await?;
                sqlx::query("INSERT INTO t VALUES ($1)").bind(id).execute(&mut tx).await?;
                tx.commit().await.map_err(Error::from)
            }))
        })
        .collect();
    let mut committed = Vec::new();
    for (id, task) in (0_i32..).zip(tasks) {
        if let Ok(Ok(())) = task.await.unwrap() {
            committed.push(id);
        }
    }
    let ids: Vec<i32> =
        sqlx::query_scalar("SELECT id FROM t ORDER BY id").fetch_all(&mut admin).await.unwrap();
    assert!(committed.iter().all(|id| ids.binary_search(id).is_ok()));
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    let rest = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state <> 'idle' \
        AND datname = current_database() AND pid <> pg_backend_pid())";
    until(&mut admin, rest).await;
    let root = root();
    let one = root.scope(async { sqlx::query_scalar("SELECT 1").fetch_one(&pool).await });
    assert_eq!(one.await.unwrap_or(0), 1);
    eprintln!("{} of 150 committed, {:?}", committed.len(), pool.counters());
}
