//! Limits without end, connections that are dropped outside of the runtime, and a server that panics at a commit.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::thread;
use std::time::Duration;

use common::proxy::Proxy;
use common::{Server, at_rest, root};
use ctxprop_sqlx::WithCtx;
use sqlx::postgres::PgPoolOptions;

#[tokio::test]
async fn what_is_dropped_outside_of_the_runtime_goes_back() {
    let Some(server) = Server::start().await else { return };
    for least in [0, 1] {
        let pool = PgPoolOptions::new().max_connections(1).min_connections(least).with_ctx();
        let pool = pool.connect_with(server.options()).await.unwrap();
        let pid = async || {
            let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&pool);
            pid.await.unwrap()
        };
        let before: i32 = pid().await;
        let ctx = root().child_span().with_timeout(Duration::from_secs(60));
        let tx = ctx.scope(pool.begin()).await.unwrap();
        thread::spawn(move || drop(tx)).join().unwrap();
        at_rest(&pool).await;
        let conn = pool.acquire().await.unwrap();
        thread::spawn(move || drop(conn)).join().unwrap();
        at_rest(&pool).await;
        assert_eq!(pid().await, before);
        assert_eq!(pool.counters().closed, 0);
    }
}

#[tokio::test]
async fn a_cleanup_may_take_for_ever() {
    let Some(server) = Server::start().await else { return };
    let pool = PgPoolOptions::new().max_connections(1).with_ctx().cleanup_limit(Duration::MAX);
    let pool = pool.connect_with(server.options()).await.unwrap();
    drop(pool.begin().await.unwrap());
    at_rest(&pool).await;
    assert_eq!((pool.size(), pool.counters().closed), (1, 0));
    let tx = pool.begin().await.unwrap();
    root().scope(tx.commit()).await.unwrap();
    let tx = pool.begin().await.unwrap();
    root().scope(tx.rollback()).await.unwrap();
    at_rest(&pool).await;
    assert_eq!((pool.size(), pool.counters().closed), (1, 0));
}

/// It may have written the commit before it failed, and finds it when it comes back.
#[tokio::test]
async fn a_server_that_panics_at_a_commit_leaves_it_open() {
    let Some(server) = Server::start().await else { return };
    let proxy = Proxy::before(server.port).await;
    let pool = common::pool(proxy.options(&server), 1).await;
    let tx = pool.begin().await.unwrap();
    proxy.panic_at_commit();
    let error = tx.commit().await.unwrap_err();
    assert!(error.is_unknown(), "{error}");
    pool.begin().await.unwrap().commit().await.unwrap();
}
