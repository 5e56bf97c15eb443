//! The budget reaches the server: waiting for a connection, `statement_timeout`, whose statement it is; and what each
//! costs in round trips.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::time::Duration;

use common::proxy::Proxy;
use common::{Server, at_rest, root};
use ctxprop::{Cancelled, Cause, Ctx};
use ctxprop_sqlx::{PgPool, WithCtx};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Error, Executor};

async fn show(pool: &PgPool, what: &str) -> String {
    sqlx::query_scalar(&format!("SHOW {what}")).fetch_one(pool).await.unwrap()
}

fn cause(error: &Error) -> Option<&Cause> {
    Cancelled::find_in(error).map(Cancelled::cause)
}

#[tokio::test]
async fn the_server_gives_up_before_the_deadline_and_says_so() {
    let Some(server) = Server::start().await else { return };
    let pool = server.pool(1).await;
    // On a machine that is busy for longer than what is kept back, the deadline comes first; then once more.
    for _ in 0..20 {
        let ctx = root().with_timeout(Duration::from_millis(300));
        let sleep = async { sqlx::query("SELECT pg_sleep(30)").execute(&pool).await };
        let error = ctx.run(sleep).await.unwrap_or_else(|ended| Err(Error::Io(ended.into())));
        assert_eq!(cause(&error.unwrap_err()), Some(&Cause::DeadlineExceeded));
        if pool.counters().timed_out == 1 {
            break;
        }
    }
    assert_eq!(pool.counters().timed_out, 1);
    at_rest(&pool).await;
    // The next user has none of it, and the connection is the same.
    assert_eq!(show(&pool, "statement_timeout").await, "0");
    assert_eq!(show(&pool, "application_name").await, "the service");
    assert_eq!((pool.size(), pool.counters().closed), (1, 0));
}

#[tokio::test]
async fn waiting_for_a_connection_is_part_of_the_budget() {
    let Some(server) = Server::start().await else { return };
    let pool = server.pool(1).await;
    let held = pool.acquire().await.unwrap();
    let ctx = root().with_timeout(Duration::from_millis(50));
    let error = ctx.scope(pool.acquire()).await.unwrap_err();
    assert_eq!(cause(&error), Some(&Cause::DeadlineExceeded));
    // What comes too late takes none, although one is free.
    drop(held);
    at_rest(&pool).await;
    let late = root().with_timeout(Duration::ZERO);
    let error =
        late.scope(async { sqlx::query("SELECT 1").execute(&pool).await }).await.unwrap_err();
    assert_eq!(cause(&error), Some(&Cause::DeadlineExceeded));
    let error = late.scope(pool.begin()).await.unwrap_err();
    assert_eq!(cause(&error), Some(&Cause::DeadlineExceeded));
    assert_eq!(pool.counters().refused, 2);
    assert_eq!(pool.num_idle(), 1);
}

#[tokio::test]
async fn budgets_shorter_than_connecting_get_a_connection_in_the_end() {
    let Some(server) = Server::start().await else { return };
    let proxy = Proxy::before(server.port).await;
    proxy.delay_connects(Duration::from_millis(300));
    let pool = PgPoolOptions::new().max_connections(1).with_ctx();
    let pool = pool.connect_lazy_with(proxy.options(&server));
    let mut late = 0;
    loop {
        let ctx = root().with_timeout(Duration::from_millis(100));
        match ctx.scope(pool.acquire()).await {
            Ok(_) => break,
            Err(error) => assert_eq!(cause(&error), Some(&Cause::DeadlineExceeded)),
        }
        late += 1;
        assert!(late < 1_000, "it is opened anew each time");
    }
    assert!(late > 0);
    at_rest(&pool).await;
    assert_eq!((pool.size(), pool.num_idle()), (1, 1));
}

#[tokio::test]
async fn the_server_is_told_whose_it_is_and_what_remains() {
    let Some(server) = Server::start().await else { return };
    let pool = server.pool(1).await;
    let ctx = root().child_span().with_timeout(Duration::from_secs(100));
    let look = "SELECT current_setting('application_name'), current_setting('statement_timeout')";
    let (name, timeout): (String, String) =
        ctx.scope(async { sqlx::query_as(look).fetch_one(&pool).await }).await.unwrap();
    let (trace, span) = name.split_once('-').unwrap();
    assert_eq!(trace, ctx.span().trace_id().to_string());
    assert_ne!(span, ctx.span().span_id().to_string());
    let millis: u64 = timeout.strip_suffix("ms").unwrap().parse().unwrap();
    assert!((50_000..100_000).contains(&millis), "{timeout}");
    // In a transaction the same, and only there.
    let mut tx = ctx.scope(pool.begin()).await.unwrap();
    let (name, timeout): (String, String) = sqlx::query_as(look).fetch_one(&mut tx).await.unwrap();
    assert!(name.starts_with(trace) && timeout.ends_with("ms"), "{name} {timeout}");
    tx.rollback().await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let after: (String, String) = sqlx::query_as(look).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(after, ("the service".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn a_shorter_timeout_of_the_users_stays() {
    let Some(server) = Server::start().await else { return };
    // Of the role or the connection.
    let options = server.options().options([("statement_timeout", "5s")]);
    let pool = common::pool(options, 1).await;
    let long = root().with_timeout(Duration::from_secs(60));
    let short = root().with_timeout(Duration::from_secs(2));
    assert_eq!(long.scope(show(&pool, "statement_timeout")).await, "5s");
    assert!(short.scope(show(&pool, "statement_timeout")).await.ends_with("ms"));
    assert_eq!(in_transaction(&pool, long.clone()).await, "5s");
    assert!(in_transaction(&pool, short).await.ends_with("ms"));
    assert_eq!(show(&pool, "statement_timeout").await, "5s");

    // Of a hook that sets it each time.
    let pool = PgPoolOptions::new().max_connections(1).with_ctx().before_acquire(|conn, _| {
        Box::pin(async move { conn.execute("SET statement_timeout = '4s'").await.map(|_| true) })
    });
    let pool = pool.connect_with(server.options()).await.unwrap();
    at_rest(&pool).await;
    assert_eq!(in_transaction(&pool, long.clone()).await, "4s");
    at_rest(&pool).await;
    assert_eq!(long.scope(show(&pool, "statement_timeout")).await, "4s");

    // Of hooks, which run as well; and one of a statement that is stopped is not taken for the budget's.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .with_ctx()
        .after_connect(|conn, _| {
            Box::pin(async move {
                conn.execute("SET statement_timeout = '70ms'; SET application_name = 'mine'")
                    .await?;
                Ok(())
            })
        })
        .before_acquire(|conn, _| {
            Box::pin(async move {
                conn.execute("SET statement_timeout = '60ms'").await?;
                Ok(true)
            })
        })
        .connect_with(server.options())
        .await
        .unwrap();
    assert_eq!(long.scope(show(&pool, "statement_timeout")).await, "60ms");
    at_rest(&pool).await;
    let error = long
        .scope(async { sqlx::query("SELECT pg_sleep(30)").execute(&pool).await })
        .await
        .unwrap_err();
    assert!(cause(&error).is_none());
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "57014");
    assert_eq!(in_transaction(&pool, long).await, "60ms");
    at_rest(&pool).await;
    assert_eq!(show(&pool, "application_name").await, "mine");
}

async fn in_transaction(pool: &PgPool, ctx: Ctx) -> String {
    let mut tx = ctx.scope(pool.begin()).await.unwrap();
    let shown = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&mut tx).await.unwrap();
    tx.rollback().await.unwrap();
    shown
}

#[tokio::test]
async fn a_budget_beyond_32_bits_is_not_sent() {
    let Some(server) = Server::start().await else { return };
    let pool = server.pool(1).await;
    for millis in [1_u64 << 31, 1 << 33] {
        let ctx = root().with_timeout(Duration::from_millis(millis + 30));
        assert_eq!(ctx.scope(show(&pool, "statement_timeout")).await, "0");
    }
    assert_eq!(pool.counters().bounded, 0);
    let most = root().with_timeout(Duration::from_millis((1 << 31) - 1));
    assert!(most.scope(show(&pool, "statement_timeout")).await.ends_with("ms"));
}

/// Round trips on the way of a request: those of sqlx's own pool, and ours. What a connection costs that goes back is
/// counted apart; nothing of it is sent before the next await.
#[tokio::test]
async fn it_costs_no_round_trip() {
    let Some(server) = Server::start().await else { return };
    let proxy = Proxy::before(server.port).await;
    let ctx = root().with_timeout(Duration::from_secs(60));
    let ours = common::pool(proxy.options(&server), 1).await;
    let theirs = PgPoolOptions::new().max_connections(1);
    let theirs = theirs.connect_with(proxy.options(&server)).await.unwrap();
    let query = "SELECT $1";
    // The first time the statement is prepared.
    for warm in [true, false] {
        let before = proxy.round_trips();
        let mut conn = theirs.acquire().await.unwrap();
        sqlx::query(query).bind("x").execute(&mut *conn).await.unwrap();
        let of_sqlx = proxy.round_trips() - before;
        drop(conn);
        until_idle(&theirs).await;

        let before = proxy.round_trips();
        let conn = ctx.scope(async {
            let mut conn = ours.acquire().await.unwrap();
            sqlx::query(query).bind("x").execute(&mut conn).await.unwrap();
            conn
        });
        let conn = conn.await;
        let of_ours = proxy.round_trips() - before;
        drop(conn);
        at_rest(&ours).await;
        let back = proxy.round_trips() - before - of_ours;
        if !warm {
            assert_eq!(back, 1, "the assertion goes with sqlx's ping");
            eprintln!("round trips of acquire and query: sqlx {of_sqlx}, with contexts {of_ours}");
            assert_eq!((of_sqlx, of_ours), (2, 2));
        }
    }

    let before = proxy.round_trips();
    let mut tx = theirs.begin().await.unwrap();
    sqlx::query(query).bind("x").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let of_sqlx = proxy.round_trips() - before;
    until_idle(&theirs).await;
    let before = proxy.round_trips();
    let work = async {
        let mut tx = ours.begin().await.unwrap();
        sqlx::query(query).bind("x").execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    ctx.scope(work).await;
    let of_ours = proxy.round_trips() - before;
    eprintln!("round trips of begin, query, commit: sqlx {of_sqlx}, with contexts {of_ours}");
    assert_eq!((of_sqlx, of_ours), (4, 3));
    at_rest(&ours).await;
    assert_eq!(
        proxy.round_trips() - before - of_ours,
        2,
        "the rollback that ends what sqlx counts"
    );
}

async fn until_idle(pool: &sqlx::PgPool) {
    while pool.num_idle() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
