//! Begin, commit and rollback that cannot be left half done, and what each error means; and what sqlx's own pool leaves
//! behind without.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::proxy::Proxy;
use common::{Server, at_rest, root, until};
use ctxprop::{Cancelled, Cause};
use ctxprop_sqlx::{CommitError, PgPool, Transaction, WithCtx};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Acquire, Error, Executor, PgConnection};

async fn table(admin: &mut PgConnection) {
    let create =
        "CREATE TABLE t (id int); CREATE TABLE u (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    admin.execute(create).await.unwrap();
}

async fn insert(tx: &mut Transaction, id: i32) {
    sqlx::query("INSERT INTO t VALUES ($1)").bind(id).execute(tx).await.unwrap();
}

async fn count(admin: &mut PgConnection, id: i32) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM t WHERE id = $1").bind(id);
    count.fetch_one(admin).await.unwrap()
}

/// Nothing of a transaction is left, and the pool's connection is the same one.
async fn is_clean(pool: &PgPool, admin: &mut PgConnection) {
    at_rest(pool).await;
    let open = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state LIKE 'idle in%' \
        AND datname = current_database())";
    assert!(sqlx::query_scalar::<_, bool>(open).fetch_one(admin).await.unwrap());
    assert_eq!((pool.size(), pool.num_idle(), pool.counters().closed), (1, 1, 0));
}

async fn polls<T>(n: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = n;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = work.as_mut().poll(cx).map(Some);
        if polled.is_pending() && left == 0 { Poll::Ready(None) } else { polled }
    })
    .await
}

#[tokio::test]
async fn a_commit_says_what_became_of_it() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    table(&mut admin).await;
    let pool = server.pool(1).await;

    let mut tx = pool.begin().await.unwrap();
    insert(&mut tx, 1).await;
    tx.commit().await.unwrap();
    assert_eq!(count(&mut admin, 1).await, 1);
    is_clean(&pool, &mut admin).await;

    // A statement had failed: PostgreSQL answers such a commit with a rollback, and no error.
    let mut tx = pool.begin().await.unwrap();
    insert(&mut tx, 2).await;
    (&mut *tx).execute("SELECT 1 / 0").await.unwrap_err();
    let error = tx.commit().await.unwrap_err();
    assert!(
        matches!(&error, CommitError::Failed(Error::Database(e)) if e.code().unwrap() == "25P02")
    );
    assert_eq!(count(&mut admin, 2).await, 0);
    is_clean(&pool, &mut admin).await;

    // The commit itself fails.
    let mut tx = pool.begin().await.unwrap();
    insert(&mut tx, 3).await;
    (&mut *tx).execute("INSERT INTO u VALUES (1), (1)").await.unwrap();
    let error = tx.commit().await.unwrap_err();
    assert!(
        matches!(&error, CommitError::Failed(Error::Database(e)) if e.code().unwrap() == "23505")
    );
    assert_eq!(count(&mut admin, 3).await, 0);
    is_clean(&pool, &mut admin).await;

    // Dropped, and rolled back; with a savepoint left open.
    let mut tx = pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE").await.unwrap();
    insert(&mut tx, 4).await;
    let mut inner = Acquire::begin(&mut tx).await.unwrap();
    inner.execute("INSERT INTO t VALUES (4)").await.unwrap();
    drop(inner);
    drop(tx);
    is_clean(&pool, &mut admin).await;
    let mut tx = pool.begin().await.unwrap();
    insert(&mut tx, 4).await;
    tx.rollback().await.unwrap();
    is_clean(&pool, &mut admin).await;
    assert_eq!(count(&mut admin, 4).await, 0);

    // A savepoint of sqlx's inside, committed with all.
    let mut tx = pool.begin().await.unwrap();
    let mut inner = Acquire::begin(&mut tx).await.unwrap();
    inner.execute("INSERT INTO t VALUES (5)").await.unwrap();
    inner.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&mut admin, 5).await, 1);
    is_clean(&pool, &mut admin).await;
    assert_eq!(pool.counters().unknown_commits, 0);
}

#[tokio::test]
async fn the_end_before_a_commit_rolls_back_and_after_it_waits() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    table(&mut admin).await;
    let proxy = Proxy::before(server.port).await;
    let pool = common::pool(proxy.options(&server), 1).await;

    let (ctx, canceller) = root().with_cancel();
    let mut tx = ctx.scope(pool.begin()).await.unwrap();
    insert(&mut tx, 1).await;
    canceller.cancel();
    let error = ctx.scope(tx.commit()).await.unwrap_err();
    assert!(matches!(&error, CommitError::Cancelled(c) if c.cause() == &Cause::Cancelled));
    is_clean(&pool, &mut admin).await;
    assert_eq!(count(&mut admin, 1).await, 0);

    // Its answer is under way when the context ends. `run` waits for it, as for every shield.
    let (ctx, canceller) = root().with_cancel();
    let mut tx = ctx.scope(pool.begin()).await.unwrap();
    insert(&mut tx, 2).await;
    proxy.stall(true);
    let commit = ctx.run(tx.commit());
    let release = async {
        while count(&mut admin, 2).await == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        canceller.cancel_with(Cause::Disconnected);
        tokio::task::yield_now().await;
        proxy.stall(false);
    };
    let (committed, ()) = tokio::join!(commit, release);
    committed.unwrap().unwrap();
    is_clean(&pool, &mut admin).await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_says_so() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    table(&mut admin).await;
    let proxy = Proxy::before(server.port).await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .with_ctx()
        .cleanup_limit(Duration::from_millis(200))
        .connect_with(proxy.options(&server))
        .await
        .unwrap();

    let mut tx = pool.begin().await.unwrap();
    insert(&mut tx, 1).await;
    proxy.lose_commit();
    let error = tx.commit().await.unwrap_err();
    assert!(error.is_unknown(), "{error}");
    // It is committed, in this case.
    until(&mut admin, "SELECT count(*) = 1 FROM t WHERE id = 1").await;

    // No answer within the limit.
    let ctx = root().with_timeout(Duration::from_secs(60));
    let mut tx = ctx.scope(pool.begin()).await.unwrap();
    insert(&mut tx, 2).await;
    proxy.stall(true);
    let error = ctx.scope(tx.commit()).await.unwrap_err();
    proxy.stall(false);
    assert!(error.is_unknown(), "{error}");
    // As an error of sqlx's it says the same, and is not taken for the end of the context.
    let error = Error::from(error);
    assert!(Cancelled::find_in(&error).is_none());
    assert!(error.to_string().contains("may be committed"), "{error}");
    root().scope(pool.begin()).await.unwrap().commit().await.unwrap();
    assert_eq!(pool.counters().unknown_commits, 2);
}

#[tokio::test]
async fn what_was_begun_by_hand_is_not_reused() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    let pool = server.pool(1).await;
    for native in [false, true] {
        for left in ["BEGIN", "BEGIN; SELECT 1 / 0", "RESET ALL"] {
            let before = pid(&pool).await;
            at_rest(&pool).await;
            let rolled_back = pool.counters().rolled_back;
            if native {
                let mut conn = sqlx::PgPool::acquire(&pool).await.unwrap();
                drop(conn.execute(left).await);
            } else {
                let mut conn = pool.acquire().await.unwrap();
                drop(conn.execute(left).await);
            }
            // An error comes before the server says that it is ready. Where that has not come with it, the rest is read first
            // and what is found is rolled back; in all other cases the connection is closed, and with it its transaction.
            let is_gone =
                format!("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {before})");
            let fails = left.contains("1 / 0");
            let kept = loop {
                if fails && pool.counters().rolled_back > rolled_back {
                    break true;
                }
                let gone = sqlx::query_scalar::<_, bool>(&is_gone).fetch_one(&mut admin);
                if gone.await.unwrap() {
                    break false;
                }
            };
            assert_eq!(pid(&pool).await == before, kept, "{left}");
            // On a transaction that is open, or has failed, it would be false, or an error.
            let look = sqlx::raw_sql("SELECT now() = statement_timestamp()");
            let row = look.fetch_one(&*pool).await.unwrap();
            assert!(sqlx::Row::get::<bool, _>(&row, 0), "{left}");
        }
    }
}

async fn pid(pool: &PgPool) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await.unwrap()
}

/// sqlx #4385: of requests that end while `begin` is pending, some leave the pooled connection in a transaction.
#[tokio::test]
async fn sqlx_own_begin_leaves_nothing_behind_on_this_pool() {
    let Some(server) = Server::start().await else { return };
    let as_it_is = PgPoolOptions::new().max_connections(1);
    let as_it_is = as_it_is.connect_with(server.options()).await.unwrap();
    let ours = server.pool(1).await;
    let mut left_open = [0, 0];
    for (pool, left_open) in [&as_it_is, &*ours].into_iter().zip(&mut left_open) {
        for round in 0..60 {
            let begin = async { pool.begin().await?.rollback().await };
            drop(polls(round % 6, begin).await);
            let look = sqlx::raw_sql("SELECT now() = statement_timestamp()");
            let row = look.fetch_one(pool).await.unwrap();
            if !sqlx::Row::get::<bool, _>(&row, 0) {
                *left_open += 1;
                pool.execute("ROLLBACK").await.unwrap();
            }
        }
    }
    eprintln!("left in a transaction: {left_open:?} of 60, with sqlx as it is and with contexts");
    assert_eq!(left_open[1], 0);
    assert_eq!(ours.counters().closed, 0);
}

#[tokio::test]
async fn who_works_with_sqlx_types_still_can() {
    async fn generic(executor: impl sqlx::PgExecutor<'_>) -> Result<i32, Error> {
        sqlx::query_scalar("SELECT 42").fetch_one(executor).await
    }
    async fn from_anywhere<'a>(
        source: impl Acquire<'a, Database = sqlx::Postgres>,
    ) -> Result<i32, Error> {
        let mut conn = source.acquire().await?;
        generic(&mut *conn).await
    }
    async fn concrete(pool: &sqlx::PgPool, conn: &mut PgConnection) -> Result<i32, Error> {
        Ok(generic(pool).await? + generic(conn).await?)
    }
    let Some(server) = Server::start().await else { return };
    let pool = server.pool(2).await;
    let ctx = root().with_timeout(Duration::from_secs(60));
    let work = async {
        assert_eq!(generic(&pool).await?, 42);
        assert_eq!(from_anywhere(&pool).await?, 42);
        let mut conn = pool.acquire().await?;
        assert_eq!(concrete(&pool, &mut conn).await?, 84);
        assert_eq!(generic(&mut conn).await?, 42);
        assert_eq!(from_anywhere(&mut conn).await?, 42);
        let statement = (&pool).prepare("SELECT $1::int").await?;
        drop(statement);
        let mut tx = pool.begin().await?;
        assert_eq!(generic(&mut tx).await?, 42);
        assert_eq!(generic(&mut *tx).await?, 42);
        tx.commit().await?;
        Ok::<_, Error>(())
    };
    // And as a task: it is `Send`.
    drop(tokio::spawn(ctx.scope(async {})));
    ctx.scope(work).await.unwrap();
    drop(tokio::spawn(ctx.run({
        let pool = pool.clone();
        async move { sqlx::query_as::<_, (i32,)>("SELECT 1").fetch_all(&pool).await }
    })));
}
