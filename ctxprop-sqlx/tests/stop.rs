//! A statement stops when its request does, and nothing of another request is stopped: clients that die, servers that
//! stop, proxies that cut, stall and delay.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use common::proxy::Proxy;
use common::{Server, at_rest, root, until};
use ctxprop::{Cancelled, Cause};
use ctxprop_axum::CtxLayer;
use ctxprop_sqlx::{PgPool, WithCtx};
use futures_util::TryStreamExt;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Error, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Whether somebody sleeps in this database.
const SLEEPS: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' \
    AND query LIKE '%pg_sleep(30)%' AND datname = current_database() AND pid <> pg_backend_pid())";
const NOBODY_SLEEPS: &str = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' \
    AND query LIKE '%pg_sleep(30)%' AND datname = current_database() AND pid <> pg_backend_pid())";

async fn pid(pool: &PgPool) -> Result<i32, Error> {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await
}

async fn sleep_long(pool: &PgPool) -> Result<(), Error> {
    sqlx::query("SELECT pg_sleep(30)").execute(pool).await.map(drop)
}

/// Begins a long sleep under a context, and ends that once the server sleeps.
async fn sleep_and_vanish(pool: &PgPool, admin: &mut PgConnection) -> Result<(), Error> {
    let (ctx, canceller) = root().child_span().with_cancel();
    let sleeper = ctx.spawn({
        let pool = pool.clone();
        async move { sleep_long(&pool).await }
    });
    until(admin, SLEEPS).await;
    canceller.cancel_with(Cause::Disconnected);
    sleeper.await.unwrap_or_else(|cancelled| Err(Error::Io(cancelled.into())))
}

#[tokio::test]
async fn a_client_that_dies_frees_the_server_and_its_connection() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = server.pool(1).await;
    let answer =
        |result: Result<i32, Error>| result.map_or_else(|e| e.to_string(), |n| n.to_string());
    let app = Router::new()
        .route("/pid", get(async move |State(pool): State<PgPool>| answer(pid(&pool).await)))
        .route(
            "/sleep",
            get(async move |State(pool): State<PgPool>| {
                answer(sleep_long(&pool).await.map(|()| 0))
            }),
        )
        .layer(CtxLayer::mesh())
        .with_state(pool.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let pid = async || {
        let mut answer = String::new();
        ask("/pid").await.read_to_string(&mut answer).await.unwrap();
        answer.split("\r\n\r\n").nth(1).unwrap().parse::<i32>().unwrap()
    };

    let before = pid().await;
    let client = ask("/sleep").await;
    until(&mut admin, SLEEPS).await;
    let whose: String = sqlx::query_scalar(
        "SELECT application_name FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' \
         AND datname = current_database() AND pid <> pg_backend_pid()",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert!(whose.starts_with("4bf92f3577b34da6a3ce929d0e0e4736-"), "{whose}");
    drop(client);
    let gone = Instant::now();
    until(&mut admin, NOBODY_SLEEPS).await;
    let idle = gone.elapsed();
    eprintln!("the server is idle {idle:?} after its client died");
    // Far less than the 30 s; how much less is a figure of a machine that does nothing else.
    assert!(idle < Duration::from_secs(3), "{idle:?}");
    assert_eq!(pid().await, before, "another process serves the next request");
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.closed), (1, 0));
}

#[tokio::test]
async fn on_sqlx_own_pool_it_stops_by_closing() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = server.pool(1).await;
    let before = pid(&pool).await.unwrap();
    // As sea-orm does, or a function that takes `&sqlx::PgPool`.
    let theirs: sqlx::PgPool = (*pool).clone();
    let (ctx, canceller) = root().with_timeout(Duration::from_secs(600)).with_cancel();
    let sleeper = ctx.spawn({
        let theirs = theirs.clone();
        async move { sqlx::query("SELECT pg_sleep(30)").execute(&theirs).await.map(drop) }
    });
    until(&mut admin, SLEEPS).await;
    canceller.cancel();
    assert!(sleeper.await.is_err());
    until(&mut admin, NOBODY_SLEEPS).await;
    assert_ne!(pid(&pool).await.unwrap(), before);
    let counters = pool.counters();
    assert_eq!((counters.bounded, counters.closed, counters.cancelled), (1, 1, 0));
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let Some(mut server) = Server::start_own() else { return };
    let pool = server.pool(3).await;
    let ctx = root().with_timeout(Duration::from_secs(60));
    // Three connections, all idle.
    let held = [
        pool.acquire().await.unwrap(),
        pool.acquire().await.unwrap(),
        pool.acquire().await.unwrap(),
    ];
    drop(held);
    at_rest(&pool).await;
    server.stop();
    server.start_again();
    // No request notices: not one of them had begun.
    ctx.scope(pid(&pool)).await.unwrap();
    server.stop();
    server.start_again();
    let tx = ctx.scope(pool.begin()).await.unwrap();
    ctx.scope(tx.commit()).await.unwrap();
}

#[tokio::test]
async fn a_cut_ends_the_request_and_not_the_next() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let proxy = Proxy::before(server.port).await;
    let pool = common::pool(proxy.options(&server), 2).await;
    let sleeper = root().spawn({
        let pool = pool.clone();
        async move { sleep_long(&pool).await }
    });
    until(&mut admin, SLEEPS).await;
    proxy.cut();
    let error = sleeper.await.unwrap().unwrap_err();
    assert!(Cancelled::find_in(&error).is_none(), "{error}");
    root().scope(pid(&pool)).await.unwrap();
    // And the server does not sleep on for nobody.
    until(&mut admin, NOBODY_SLEEPS).await;
}

#[tokio::test]
async fn a_stall_ends_with_the_budget_and_its_connection_is_closed() {
    let Some(server) = Server::start().await else { return };
    let proxy = Proxy::before(server.port).await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .with_ctx()
        .cleanup_limit(Duration::from_millis(200))
        .connect_with(proxy.options(&server))
        .await
        .unwrap();
    let before = pid(&pool).await.unwrap();
    at_rest(&pool).await;
    proxy.stall(true);
    let ctx = root().with_timeout(Duration::from_millis(100));
    let error = ctx.scope(pid(&pool)).await.unwrap_err();
    assert!(Cancelled::find_in(&error).is_some_and(Cancelled::is_deadline));
    while pool.counters().closed == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    proxy.stall(false);
    assert_ne!(root().scope(pid(&pool)).await.unwrap(), before);
}

#[tokio::test]
async fn a_late_request_to_stop_hits_nobody_else() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let proxy = Proxy::before(server.port).await;
    let pool = common::pool(proxy.options(&server), 1).await;
    let before = pid(&pool).await.unwrap();
    proxy.delay_cancels(Duration::from_secs(1));

    // One that sleeps on is stopped, late.
    let error = sleep_and_vanish(&pool, &mut admin).await.unwrap_err();
    assert!(Cancelled::find_in(&error).is_some());
    let next = root().child_span();
    let answered = next.scope(async {
        sqlx::query("SELECT pg_sleep(1.2)").execute(&pool).await?;
        pid(&pool).await
    });
    assert_eq!(answered.await.unwrap(), before);

    // One that is over before the request arrives: whoever is next waits until it has.
    let (ctx, canceller) = root().child_span().with_cancel();
    let sleeper = ctx.spawn({
        let pool = pool.clone();
        async move { sqlx::query("SELECT pg_sleep(0.3)").execute(&pool).await.map(drop) }
    });
    let asleep = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' \
        AND query LIKE '%pg_sleep(0.3)%' AND pid <> pg_backend_pid())";
    until(&mut admin, asleep).await;
    canceller.cancel();
    assert!(!matches!(sleeper.await, Ok(Ok(()))));
    let next = root().child_span();
    let answered = next.scope(async {
        let mut conn = pool.acquire().await?;
        sqlx::query("SELECT pg_sleep(1.2)").execute(&mut conn).await?;
        sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()").fetch_one(&mut conn).await
    });
    assert_eq!(answered.await.unwrap(), before);
    assert_eq!(pool.counters().closed, 0);
}

#[tokio::test]
async fn where_the_answer_of_a_request_to_stop_is_lost_the_connection_is_closed() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let proxy = Proxy::before(server.port).await;
    let pool = common::pool(proxy.options(&server), 1).await;
    let before = pid(&pool).await.unwrap();
    proxy.cut_cancels(true);
    sleep_and_vanish(&pool, &mut admin).await.unwrap_err();
    assert_ne!(root().scope(pid(&pool)).await.unwrap(), before);
    assert_eq!(pool.counters().closed, 1);
    until(&mut admin, NOBODY_SLEEPS).await;
}

#[tokio::test]
async fn who_may_not_stop_anything_closes() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    for (role, rights) in [
        ("no_cancel", "REVOKE EXECUTE ON FUNCTION pg_cancel_backend FROM PUBLIC"),
        ("no_activity", "REVOKE SELECT ON pg_stat_activity FROM PUBLIC"),
    ] {
        sqlx::raw_sql(&format!("CREATE ROLE {role} LOGIN; {rights}"))
            .execute(&mut admin)
            .await
            .unwrap();
        let pool = common::pool(server.options().username(role), 1).await;
        let before = pid(&pool).await.unwrap();
        sleep_and_vanish(&pool, &mut admin).await.unwrap_err();
        assert_ne!(root().scope(pid(&pool)).await.unwrap(), before, "{role}");
        // The server notices that nobody is there.
        until(&mut admin, NOBODY_SLEEPS).await;
        let counters = pool.counters();
        assert_eq!((counters.closed, counters.cancelled), (1, 0), "{role}");
    }
}

#[tokio::test]
async fn an_application_name_of_the_users_is_not_stopped_by_ours() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .with_ctx()
        .cleanup_limit(Duration::from_millis(300))
        .connect_with(server.options())
        .await
        .unwrap();
    let (ctx, canceller) = root().child_span().with_cancel();
    let sleeper = ctx.spawn({
        let pool = pool.clone();
        async move {
            let mut conn = pool.acquire().await?;
            sqlx::query("SET application_name = 'mine'").execute(&mut conn).await?;
            sqlx::query("SELECT pg_sleep(30)").execute(&mut conn).await.map(drop)
        }
    });
    until(&mut admin, SLEEPS).await;
    canceller.cancel();
    drop(sleeper.await);
    until(&mut admin, NOBODY_SLEEPS).await;
    root().scope(pid(&pool)).await.unwrap();
    let counters = pool.counters();
    assert_eq!((counters.closed, counters.cancelled), (1, 0));
}

#[tokio::test]
async fn a_stream_that_is_dropped_after_some_rows_is_stopped() {
    let Some(server) = Server::start().await else { return };
    let pool = server.pool(1).await;
    let before = pid(&pool).await.unwrap();
    root()
        .scope(async {
            let mut rows = sqlx::query("SELECT generate_series(1, 1000000000)").fetch(&pool);
            for _ in 0..10 {
                rows.try_next().await.unwrap().unwrap();
            }
        })
        .await;
    assert_eq!(root().scope(pid(&pool)).await.unwrap(), before);
    let counters = pool.counters();
    assert_eq!((counters.cancelled, counters.closed), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_only_those_that_end_are_stopped() {
    let Some(server) = Server::start().await else { return };
    let proxy = Proxy::before(server.port).await;
    let pool = common::pool(proxy.options(&server), 4).await;
    proxy.delay_cancels(Duration::from_millis(5));
    let requests: Vec<_> = (0..300)
        .map(|n| {
            let (ctx, canceller) = root().child_span().with_cancel();
            let pool = pool.clone();
            let (begins, begun) = oneshot::channel();
            let request = ctx.spawn(async move {
                let mut tx = pool.begin().await?;
                // Those that do not end do not listen.
                let _ = begins.send(());
                let seconds = fastrand::f64() * 0.1;
                sqlx::query("SELECT pg_sleep($1)").bind(seconds).execute(&mut tx).await?;
                tx.commit().await.map_err(Error::from)
            });
            let ends = n % 2 == 0;
            tokio::spawn(async move {
                if ends && begun.await.is_ok() {
                    tokio::time::sleep(Duration::from_micros(fastrand::u64(0..60_000))).await;
                    canceller.cancel();
                }
                (ends, request.await)
            })
        })
        .collect();
    for request in requests {
        let (ends, result) = request.await.unwrap();
        if !ends {
            result.unwrap().unwrap();
        }
    }
    at_rest(&pool).await;
    let counters = pool.counters();
    eprintln!("{counters:?}");
    assert_eq!((counters.closed, counters.unknown_commits), (0, 0));
    assert!(counters.cancelled > 0, "nothing was stopped, so nothing is shown");
}
