//! `COPY`, in and out, to its end and given up: sqlx does not count what is still to come of one that is given up.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{Server, at_rest, root, until};
use ctxprop::Ctx;
use ctxprop_sqlx::{CommitError, PgPool, WithCtx};
use futures_util::TryStreamExt;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgConnection};

const FEW: &str = "COPY (SELECT generate_series(1, 10)) TO STDOUT";
const MANY: &str = "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT";
const SLOW: &str = "COPY (SELECT 1 UNION ALL SELECT 2 FROM pg_sleep(0.2)) TO STDOUT";
/// The first row is longer than what the server keeps back.
const STUCK: &str =
    "COPY (SELECT repeat('x', 20000) UNION ALL SELECT 'y' FROM pg_sleep(30)) TO STDOUT";
const IN: &str = "COPY t FROM STDIN";

/// What the next ones are answered.
async fn next(pool: &PgPool, under: Option<&Ctx>) {
    let work = async {
        for number in 0..3 {
            let query = format!("SELECT {number}");
            let answer: i32 = sqlx::query_scalar(&query).fetch_one(pool).await.unwrap();
            assert_eq!(answer, number);
        }
        let mut tx = pool.begin().await.unwrap();
        let two: i32 = sqlx::query_scalar("SELECT 2").fetch_one(&mut tx).await.unwrap();
        assert_eq!(two, 2);
        tx.commit().await.unwrap();
    };
    match under {
        Some(ctx) => ctx.scope(work).await,
        None => work.await,
    }
}

/// Begins one and gives it up, after a row where some come at once.
async fn give_up(conn: &mut PgConnection, what: &str) {
    if what == IN {
        let mut copy = conn.copy_in_raw(what).await.unwrap();
        copy.send(&b"1\n"[..]).await.unwrap();
    } else {
        let mut rows = conn.copy_out_raw(what).await.unwrap();
        if what != SLOW && what != STUCK {
            rows.try_next().await.unwrap();
        }
    }
}

async fn pool(server: &Server) -> PgPool {
    let mut admin = server.admin().await;
    admin.execute("CREATE TABLE IF NOT EXISTS t (id int)").await.unwrap();
    server.pool(1).await
}

/// sqlx's own methods, of which nobody is told: what is not in step is found when it is asked for again.
#[tokio::test]
async fn what_sqlx_lost_count_of_is_not_given_out() {
    let Some(server) = Server::start().await else { return };
    let pool = pool(&server).await;
    let ctx = root().child_span().with_timeout(Duration::from_secs(600));
    for under in [Some(&ctx), None] {
        for what in [FEW, SLOW, IN] {
            for in_transaction in [true, false] {
                let work = async {
                    if in_transaction {
                        let mut tx = pool.begin().await.unwrap();
                        give_up(&mut tx, what).await;
                    } else {
                        let mut conn = pool.acquire().await.unwrap();
                        give_up(&mut conn, what).await;
                    }
                };
                match under {
                    Some(ctx) => ctx.scope(work).await,
                    None => work.await,
                }
                next(&pool, under).await;
                at_rest(&pool).await;
                // On sqlx's own pool.
                let mut conn = sqlx::PgPool::acquire(&pool).await.unwrap();
                give_up(&mut conn, what).await;
                drop(conn);
                let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&*pool).await.unwrap();
                assert_eq!(one, 1, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn one_that_is_given_up_stops_and_its_connection_is_closed() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = pool(&server).await;
    let ctx = root().child_span().with_timeout(Duration::from_secs(600));
    let nobody = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' \
        AND query LIKE 'COPY%' AND datname = current_database())";
    let mut closed = 0;
    for what in [FEW, MANY, STUCK, IN] {
        for in_transaction in [true, false] {
            let began = Instant::now();
            let work = async {
                if in_transaction {
                    let mut tx = pool.begin().await.unwrap();
                    if what == IN {
                        let mut copy = tx.copy_in_raw(what).await.unwrap();
                        copy.send(&b"1\n"[..]).await.unwrap();
                    } else {
                        drop(tx.copy_out_raw(what).await.unwrap());
                    }
                } else {
                    let mut conn = pool.acquire().await.unwrap();
                    if what == IN {
                        let mut copy = conn.copy_in_raw(what).await.unwrap();
                        copy.send(&b"1\n"[..]).await.unwrap();
                    } else {
                        drop(conn.copy_out_raw(what).await.unwrap());
                    }
                }
            };
            ctx.scope(work).await;
            next(&pool, Some(&ctx)).await;
            until(&mut admin, nobody).await;
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: {:?}", began.elapsed());
            closed += 1;
            assert_eq!(pool.counters().closed, closed, "{what}");
        }
    }
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut admin).await.unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn one_that_comes_to_its_end_costs_no_connection() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = pool(&server).await;
    let ctx = root().child_span().with_timeout(Duration::from_secs(600));
    for under in [Some(&ctx), None] {
        let work = async {
            let mut tx = pool.begin().await.unwrap();
            let mut copy = tx.copy_in_raw(IN).await.unwrap();
            copy.send(&b"1\n2\n"[..]).await.unwrap();
            assert_eq!(copy.finish().await.unwrap(), 2);
            tx.commit().await.unwrap();
            let mut conn = pool.acquire().await.unwrap();
            let out: Vec<_> = conn.copy_out_raw(FEW).await.unwrap().try_collect().await.unwrap();
            assert_eq!(out.len(), 10);
            drop(conn);
            // One that was rolled back.
            let mut tx = pool.begin().await.unwrap();
            let mut copy = tx.copy_in_raw(IN).await.unwrap();
            copy.send(&b"3\n"[..]).await.unwrap();
            copy.finish().await.unwrap();
        };
        match under {
            Some(ctx) => ctx.scope(work).await,
            None => work.await,
        }
        next(&pool, under).await;
    }
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut admin).await.unwrap();
    assert_eq!(rows, 4);
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.closed), (0, 0));
}

/// Whatever comes in the place of the answer to a commit, it is not taken for one.
#[tokio::test]
async fn a_commit_behind_one_that_was_given_up_does_not_say_that_it_is_done() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    admin.execute("CREATE TABLE t (id int)").await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).with_ctx();
    let pool = pool.connect_with(server.options()).await.unwrap();
    for what in [FEW, SLOW, IN] {
        let mut tx = pool.begin().await.unwrap();
        tx.execute("INSERT INTO t VALUES (7)").await.unwrap();
        give_up(&mut tx, what).await;
        let commit = tx.commit().await;
        let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM t WHERE id = 7)")
            .fetch_one(&mut admin)
            .await
            .unwrap();
        match commit {
            Ok(()) => assert!(is_there, "{what}"),
            Err(CommitError::Unknown(_)) => {}
            Err(_) => assert!(!is_there, "{what}"),
        }
        next(&pool, None).await;
        admin.execute("DELETE FROM t").await.unwrap();
    }
}
