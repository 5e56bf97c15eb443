//! A small orders service in a process of its own, under random budgets, clients that hang up, and `kill -TERM`: at the
//! end no order is pending with its stock gone.
//!
//! An order is placed in two transactions with a payment between: stock is taken and the order is pending, then it is
//! paid. What fails between, or whose client is gone, is released under a shield. A key, chosen by the client, makes
//! releasing twice the same as once, and answers the question that a lost commit leaves open.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use common::{Server, free_port, until};
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_sqlx::{CommitError, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

const PORT: &str = "CTXPROP_ORDERS_PORT";
const DATABASE_PORT: &str = "CTXPROP_ORDERS_DATABASE_PORT";
const DATABASE: &str = "CTXPROP_ORDERS_DATABASE";

/// Takes one piece of `article` for the order `key`.
#[propagate]
async fn reserve(pool: &PgPool, article: i32, key: i32) -> Result<(), CommitError> {
    let mut tx = pool.begin().await?;
    sqlx::query("UPDATE articles SET stock = stock - 1 WHERE id = $1")
        .bind(article)
        .execute(&mut tx)
        .await?;
    sqlx::query("INSERT INTO orders (key, article, state) VALUES ($1, $2, 'pending')")
        .bind(key)
        .bind(article)
        .execute(&mut tx)
        .await?;
    tx.commit().await
}

/// Somebody else's service, which takes its time.
#[propagate]
async fn charge() -> Result<(), CommitError> {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..15))).await;
    Ok(())
}

#[propagate]
async fn confirm(pool: &PgPool, key: i32) -> Result<(), CommitError> {
    let mut tx = pool.begin().await?;
    sqlx::query("UPDATE orders SET state = 'paid' WHERE key = $1 AND state = 'pending'")
        .bind(key)
        .execute(&mut tx)
        .await?;
    tx.commit().await
}

/// Gives the piece back, if the order is pending: whether it got so far, or was paid after all, only the server knows.
/// Where the first transaction is still under way, its key makes this one wait until it is over; where it never comes,
/// the order is released before it is placed.
#[propagate]
async fn release(pool: &PgPool, article: i32, key: i32) -> Result<(), CommitError> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "WITH gone AS (INSERT INTO orders (key, article, state) VALUES ($1, $2, 'released') \
         ON CONFLICT (key) DO UPDATE SET state = 'released' WHERE orders.state = 'pending' \
         RETURNING article, xmax <> 0 AS was_pending) \
         UPDATE articles SET stock = stock + 1 FROM gone WHERE id = gone.article AND was_pending",
    )
    .bind(key)
    .bind(article)
    .execute(&mut tx)
    .await?;
    tx.commit().await
}

#[propagate]
async fn place(
    ctx: Ctx,
    State(pool): State<PgPool>,
    Path((article, key)): Path<(i32, i32)>,
) -> Result<&'static str, (StatusCode, String)> {
    let placed = async {
        reserve(&pool, article, key).await?;
        charge().await?;
        confirm(&pool, key).await
    };
    let Err(error) = placed.await else { return Ok("paid") };
    let released = ctx.shield(Duration::from_secs(20), release(&pool, article, key)).await;
    if !matches!(released, Ok(Ok(()))) {
        eprintln!("{key} is not released: {released:?}");
    }
    let error: sqlx::Error = error.into();
    Err(match Cancelled::find_in(&error) {
        Some(cancelled) => (cancelled.http_status(), error.to_string()),
        None => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    })
}

/// Not a test: the service, where the test below runs this program again.
#[test]
fn orders_service() {
    let Ok(port) = std::env::var(PORT) else { return };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        let database = std::env::var(DATABASE).unwrap();
        let database_port = std::env::var(DATABASE_PORT).unwrap().parse().unwrap();
        let pool = common::pool(common::options(database_port).database(&database), 5).await;
        let (root, canceller) = Ctx::background().with_cancel();
        let app = Router::new()
            .route("/orders/{article}/{key}", post(place))
            .layer(CtxLayer::mesh().under(&root).default_budget(Duration::from_secs(10)))
            .with_state(pool.clone());
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
        let mut term = signal(SignalKind::terminate()).unwrap();
        axum::serve(listener, app)
            .with_graceful_shutdown(async move {
                term.recv().await;
                canceller.cancel_with(Cause::Shutdown);
            })
            .await
            .unwrap();
        // What was dropped with its client unwinds in tasks; connections are settled in tasks.
        root.idle().await;
        eprintln!("the service ends: {:?}", pool.counters());
        pool.close().await;
    });
}

fn start_service(port: u16, server: &Server) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "orders_service", "--nocapture", "--test-threads=1"])
        .env(PORT, port.to_string())
        .env(DATABASE_PORT, server.port.to_string())
        .env(DATABASE, server.database())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Places one order, with a random budget, and perhaps hangs up before the answer. The status, where one came.
async fn client(port: u16, key: u32) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let article = key % 5 + 1;
    let budget = match fastrand::u8(0..3) {
        0 => String::new(),
        _ => format!("x-timeout-ms: {}\r\n", fastrand::u32(1..60)),
    };
    let head = format!(
        "POST /orders/{article}/{key} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{budget}content-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    if fastrand::u8(0..3) == 0 {
        let patience = Duration::from_micros(fastrand::u64(0..40_000));
        tokio::time::timeout(patience, reading).await.ok()?.ok()?;
    } else {
        reading.await.ok()?;
    }
    std::str::from_utf8(&answer).ok()?.split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn no_order_is_pending_with_its_stock_gone() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    sqlx::raw_sql(
        "CREATE TABLE articles (id int PRIMARY KEY, stock int NOT NULL);
         INSERT INTO articles SELECT n, 100000 FROM generate_series(1, 5) n;
         CREATE TABLE orders (key int PRIMARY KEY, article int NOT NULL, state text NOT NULL);",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let next = Arc::new(AtomicU32::new(1));
    let mut paid = Vec::new();
    for _ in 0..3 {
        let port = free_port();
        let mut service = start_service(port, &server);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(service.try_wait().unwrap().is_none(), "the service does not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Sixteen clients; after so many orders the service is told to go, with clients waiting for it.
        let last = next.load(Relaxed) + 300;
        let clients: Vec<_> = (0..16)
            .map(|_| {
                let next = Arc::clone(&next);
                tokio::spawn(async move {
                    let mut paid = Vec::new();
                    loop {
                        let key = next.fetch_add(1, Relaxed);
                        if key > last + 30 {
                            return paid;
                        }
                        if client(port, key).await == Some(200) {
                            paid.push(i32::try_from(key).unwrap());
                        }
                    }
                })
            })
            .collect();
        while next.load(Relaxed) < last {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let term = Command::new("kill").args(["-TERM", &service.id().to_string()]).status();
        assert!(term.unwrap().success());
        for client in clients {
            paid.extend(client.await.unwrap());
        }
        assert!(service.wait().unwrap().success());
    }
    // The service has gone, and no connection of it does anything any more.
    let rest = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
        AND pid <> pg_backend_pid() AND backend_type = 'client backend')";
    until(&mut admin, rest).await;
    let states: Vec<(String, i64)> =
        sqlx::query_as("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state")
            .fetch_all(&mut admin)
            .await
            .unwrap();
    eprintln!("{states:?}; {} clients heard of it", paid.len());
    let of = |state: &str| states.iter().find(|(name, _)| name == state).map_or(0, |(_, n)| *n);
    assert_eq!(of("pending"), 0);
    assert!(of("paid") > 0 && of("released") > 0);
    let gone: i64 = sqlx::query_scalar("SELECT 500000 - sum(stock) FROM articles")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(gone, of("paid"), "pieces are gone that nobody has paid for");
    // Who was told that it is paid has it.
    let known: i64 =
        sqlx::query_scalar("SELECT count(*) FROM orders WHERE key = ANY($1) AND state = 'paid'")
            .bind(&paid)
            .fetch_one(&mut admin)
            .await
            .unwrap();
    assert_eq!(usize::try_from(known).unwrap(), paid.len());
}
