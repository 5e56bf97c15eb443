//! Savepoints whose begin fails or is given up: sqlx rolls back the whole transaction then. What comes after it in the
//! transaction is refused, and the commit says that it was none.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/common.rs"]
mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use common::{Server, at_rest};
use ctxprop_sqlx::{CommitError, PgPool, Transaction};
use sqlx::{Acquire, Error, Executor, PgConnection};

/// Polls once, and gives up. False where it was over by then, since the server had answered.
async fn given_up<T>(work: impl Future<Output = T>) -> bool {
    let mut work = pin!(work);
    poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_pending())).await
}

async fn insert(tx: &mut Transaction, id: i32) -> Result<(), Error> {
    sqlx::query("INSERT INTO t VALUES ($1)").bind(id).execute(tx).await.map(drop)
}

async fn ids(admin: &mut PgConnection) -> Vec<i32> {
    sqlx::query_scalar("SELECT id FROM t ORDER BY id").fetch_all(admin).await.unwrap()
}

/// A transaction with one row, of which sqlx has rolled back all.
async fn is_over(pool: &PgPool, fails: bool) -> Transaction {
    loop {
        let mut tx = pool.begin().await.unwrap();
        insert(&mut tx, 1).await.unwrap();
        if fails {
            tx.execute("SELECT 1 / 0").await.unwrap_err();
            assert!(Acquire::begin(&mut tx).await.is_err());
            return tx;
        }
        if given_up(Acquire::begin(&mut tx)).await {
            return tx;
        }
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn what_comes_after_a_savepoint_that_failed_is_refused_and_not_committed() {
    let Some(server) = Server::start().await else { return };
    let mut admin = server.admin().await;
    admin.execute("CREATE TABLE t (id int)").await.unwrap();
    let pool = server.pool(1).await;
    for fails in [false, true] {
        let mut tx = is_over(&pool, fails).await;
        let error = insert(&mut tx, 2).await.unwrap_err();
        assert!(error.to_string().contains("the transaction is over"), "{error}");
        assert!(Acquire::begin(&mut tx).await.is_err());
        let commit = tx.commit().await;
        assert!(matches!(commit, Err(CommitError::Failed(Error::Protocol(_)))), "{commit:?}");
        assert_eq!(ids(&mut admin).await, [0; 0]);
        at_rest(&pool).await;
        // And where nobody asks in between.
        let commit = is_over(&pool, fails).await.commit().await;
        assert!(matches!(commit, Err(CommitError::Failed(Error::Protocol(_)))), "{commit:?}");
        at_rest(&pool).await;
        is_over(&pool, fails).await.rollback().await.unwrap();
        at_rest(&pool).await;
        drop(is_over(&pool, fails).await);
        at_rest(&pool).await;
    }
    // One that was ended by hand.
    let mut tx = pool.begin().await.unwrap();
    tx.execute("ROLLBACK").await.unwrap();
    assert!(matches!(tx.commit().await, Err(CommitError::Failed(_))));
    at_rest(&pool).await;
    assert_eq!(ids(&mut admin).await, [0; 0]);
    assert_eq!(pool.counters().closed, 0);
    // All is well with one that is not given up.
    let mut tx = pool.begin().await.unwrap();
    let mut inner = Acquire::begin(&mut tx).await.unwrap();
    inner.execute("INSERT INTO t VALUES (3)").await.unwrap();
    inner.rollback().await.unwrap();
    insert(&mut tx, 4).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ids(&mut admin).await, [4]);
}
