//! Whatever ends, and wherever, the pool stays clean: the end at every poll of begin, execute, a fetch halfway through
//! its rows, and commit, over a pool of one connection.
//!
//! `CTXPROP_ROUNDS=10000` sets how many rounds.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Instant;

use common::proxy::Proxy;
use common::{Server, at_rest, root};
use ctxprop::{Canceller, Ctx};
use ctxprop_sqlx::{CommitError, PgPool};
use futures_util::TryStreamExt;
use sqlx::{Connection, Error, Row};

/// How far a round got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Stage {
    Before,
    Begun,
    Inserted,
    Fetching,
    Committing,
    Committed,
    /// Its commit said that it is not known.
    Unknown,
    /// Something failed: nothing may be left of it.
    Failed,
}

/// One request: what it got to is in `stage`, even where it is dropped.
async fn request(pool: &PgPool, id: i32, stage: &Mutex<Stage>) -> Result<(), CommitError> {
    let at = |reached| *stage.lock().unwrap() = reached;
    let work = async {
        let mut tx = pool.begin().await?;
        at(Stage::Begun);
        sqlx::query("INSERT INTO done (id) VALUES ($1)").bind(id).execute(&mut tx).await?;
        at(Stage::Inserted);
        // Around the time after which a statement that nobody waits for is stopped.
        if id % 3 == 0 {
            let seconds = fastrand::f64() * 0.02;
            sqlx::query("SELECT pg_sleep($1)").bind(seconds).execute(&mut tx).await?;
        }
        {
            let all = sqlx::query("SELECT n, repeat('x', 2000) FROM generate_series(1, 200) n");
            let mut rows = all.fetch(&mut *tx);
            at(Stage::Fetching);
            for _ in 0..100 {
                rows.try_next().await?;
            }
        }
        at(Stage::Committing);
        tx.commit().await
    };
    let result = work.await;
    at(match &result {
        Ok(()) => Stage::Committed,
        Err(error) if error.is_unknown() => Stage::Unknown,
        Err(_) => Stage::Failed,
    });
    result
}

/// Polls `work` at most `polls` times, and ends it then: drops it, or ends its context and lets it unwind.
async fn end_after<T>(
    polls: usize,
    by: Option<&Canceller>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            match by {
                None => return Poll::Ready(None),
                Some(canceller) => canceller.cancel(),
            }
        }
        left = left.saturating_sub(1);
        match work.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            // At once, while the server is at it, not when it has answered.
            Poll::Pending if left == 0 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Somebody else, who has all the time: nothing of the one before may be noticed.
async fn next_request(pool: &PgPool, ctx: Option<Ctx>) -> Result<i32, Error> {
    let work = async {
        let mut conn = pool.acquire().await?;
        // As a simple query: prepared ones begin before their statement does.
        let look = "SELECT now() = statement_timestamp(), current_setting('statement_timeout'), \
            pg_backend_pid()";
        let row = sqlx::raw_sql(look).fetch_one(&mut *conn).await?;
        assert!(row.get::<bool, _>(0), "in a transaction");
        assert_eq!(row.get::<&str, _>(1), "0", "somebody else's timeout");
        sqlx::query("INSERT INTO others DEFAULT VALUES").execute(&mut conn).await?;
        row.try_get(2)
    };
    match ctx {
        Some(ctx) => ctx.scope(work).await,
        None => work.await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_at_every_poll_leaves_the_pool_clean() {
    let Some(server) = Server::start().await else { return };
    let rounds = std::env::var("CTXPROP_ROUNDS").map_or(400, |rounds| rounds.parse().unwrap());
    let mut admin = server.admin().await;
    sqlx::query("CREATE TABLE done (id int)").execute(&mut admin).await.unwrap();
    sqlx::query("CREATE TABLE others (id serial)").execute(&mut admin).await.unwrap();
    // Answers come in pieces, so that there are many polls to end at.
    let proxy = Proxy::before(server.port).await;
    let pool = common::pool(proxy.options(&server), 1).await;
    proxy.dribble(3_000);
    let root = root();

    // How many polls a whole request takes, once its statements are prepared.
    let mut most = 0_usize;
    for _ in 0..2 {
        most = 0;
        let stage = Mutex::new(Stage::Before);
        let mut work = pin!(request(&pool, 0, &stage));
        let counted = poll_fn(|cx| {
            most += 1;
            work.as_mut().poll(cx)
        });
        counted.await.unwrap();
        at_rest(&pool).await;
    }
    sqlx::query("DELETE FROM done").execute(&mut admin).await.unwrap();

    let process = next_request(&pool, None).await.unwrap();
    sqlx::query("DELETE FROM others").execute(&mut admin).await.unwrap();
    let started = Instant::now();
    let mut reached = std::collections::BTreeMap::new();
    let mut stages = vec![Stage::Before];
    for id in 1..=rounds {
        let stage = Mutex::new(Stage::Before);
        // The answers to begin and commit are short: half of the rounds end at their few polls, at both ends.
        let polls = match fastrand::u8(0..4) {
            0 => fastrand::usize(0..8),
            1 => (most + 2).saturating_sub(fastrand::usize(0..8)),
            _ => fastrand::usize(0..most + 3),
        };
        let (ctx, canceller) = root.child_span().with_cancel();
        let by = (id % 2 == 0).then_some(&canceller);
        let ended = end_after(polls, by, ctx.run(request(&pool, id, &stage))).await;
        let stage = *stage.lock().unwrap();
        *reached.entry((by.is_some(), ended.is_some(), stage)).or_insert(0) += 1;
        stages.push(stage);
        let other = (id % 3 > 0).then(|| root.child_span());
        // Not one connection was lost over it: the same process serves all.
        assert_eq!(next_request(&pool, other).await.unwrap(), process, "after {stage:?}");
    }
    at_rest(&pool).await;
    let counters = pool.counters();
    eprintln!("{rounds} rounds of up to {most} polls in {:?}: {counters:?}", started.elapsed());
    for ((cancelled, returned, stage), times) in reached {
        eprintln!(
            "  by {}, {}: {stage:?} {times}",
            if cancelled { "cancel" } else { "drop" },
            if returned { "returned" } else { "gone" }
        );
    }

    let rows: Vec<(i32, i64)> = sqlx::query_as("SELECT id, count(*) FROM done GROUP BY id")
        .fetch_all(&mut admin)
        .await
        .unwrap();
    let rows: std::collections::HashMap<i32, i64> = rows.into_iter().collect();
    for (id, stage) in stages.iter().enumerate() {
        let id = i32::try_from(id).unwrap();
        let times = rows.get(&id).copied().unwrap_or(0);
        match stage {
            Stage::Committed => assert_eq!(times, 1, "{id} said that it is committed"),
            // Sent, and then nobody waited.
            Stage::Committing | Stage::Unknown => assert!(times <= 1, "{id} is there twice"),
            _ => assert_eq!(times, 0, "{id} is there, and got to {stage:?} only"),
        }
    }
    let others: i64 =
        sqlx::query_scalar("SELECT count(*) FROM others").fetch_one(&mut admin).await.unwrap();
    assert_eq!(others, i64::from(rounds));
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(open, 0);
    admin.close().await.unwrap();
}
