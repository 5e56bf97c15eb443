//! Async closures that are handed a borrow, as those of diesel-async's `transaction`, and have to give a future that is `Send`
//! for whatever lifetime. They are called, awaited and dropped in the function, and may use up what they capture.

use std::future::Future;

use ctxprop::propagate;
use futures::StreamExt;

use super::{AppResult, add_one, ctx, marked};

/// What says of an async closure that its future is `Send`.
trait AsyncFunc<T, R>: AsyncFnOnce(T) -> R + FnOnce(T) -> <Self as AsyncFunc<T, R>>::Fut {
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> AsyncFunc<T, R> for F
where
    F: AsyncFnOnce(T) -> R + FnOnce(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

struct Connection(u32);

impl Connection {
    #[allow(clippy::manual_async_fn, reason = "diesel-async's, which is `Send` by its type")]
    fn transaction<'a, 'conn, R, E, F>(
        &'conn mut self,
        callback: F,
    ) -> impl Future<Output = Result<R, E>> + Send + 'conn
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<R, E>
            + AsyncFunc<&'r mut Self, Result<R, E>, Fut: Send>
            + Send
            + 'a,
        E: Send + 'a,
        R: Send + 'a,
        'a: 'conn,
    {
        async move { callback(self).await }
    }
}

#[propagate]
async fn insert(conn: &mut Connection, name: &str, owned: Vec<u32>) -> AppResult<u32> {
    tokio::task::yield_now().await;
    conn.0 += 1;
    Ok(add_one(owned.len() as u32).await? + name.len() as u32 + marked().await.len() as u32)
}

#[propagate]
async fn in_transactions(name: String, owned: Vec<u32>) -> AppResult<u32> {
    let mut conn = Connection(0);
    let called = conn.transaction(async |conn| insert(conn, &name, owned).await).await?;
    let nested = conn
        .transaction(async |conn| {
            let first = insert(conn, &name, vec![1]).await?;
            conn.transaction(async |conn| {
                if first == 0 {
                    return Ok(0);
                }
                insert(conn, &name, vec![first]).await
            })
            .await
        })
        .await?;
    Ok(called + nested + conn.0)
}

struct Store {
    name: String,
}

#[propagate]
impl Store {
    async fn save(&self, conn: &mut Connection) -> AppResult<u32> {
        conn.transaction(async |conn| {
            insert(conn, &self.name, Vec::new()).await?;
            self.twice(conn).await
        })
        .await
    }

    async fn twice(&self, conn: &mut Connection) -> AppResult<u32> {
        conn.transaction(async move |conn| insert(conn, &self.name, Vec::new()).await).await
    }
}

/// A plain function that calls what it is given later, where its future is polled.
async fn later<T, F: AsyncFnOnce() -> T>(name: &str, work: F) -> (&str, T) {
    (name, work().await)
}

#[propagate]
async fn in_streams(numbers: Vec<u32>, path: impl AsRef<str>) -> AppResult<Vec<u32>> {
    let base = path.as_ref();
    let added = futures::stream::iter(numbers)
        .map(async |n| {
            let n = n + base.len() as u32;
            add_one(n).await.map(|_| n).inspect_err(|error| assert!(!error.to_string().is_empty()))
        })
        .buffer_unordered(10)
        .filter_map(|result| async { result.ok() })
        .collect::<Vec<_>>()
        .await;
    let future = later(base, async || {
        let first = added.first().ok_or_else(|| std::io::Error::other("none"))?;
        add_one(*first).await
    });
    let (_, last) = future.await;
    Ok(vec![last?, added.len() as u32])
}

#[tokio::test]
async fn closures_of_streams_carry_the_context() {
    let task = ctx().spawn(in_streams(vec![1, 2], "ab".to_owned()));
    let said = task.await.unwrap().unwrap();
    assert!(said == [4, 2] || said == [5, 2], "{said:?}");
}

#[tokio::test]
async fn closures_of_transactions_carry_the_context() {
    let task = ctx().spawn(in_transactions("name".to_owned(), vec![1, 2]));
    // three in each call of `insert`, and what `marked` says
    assert_eq!(task.await.unwrap().unwrap(), (3 + 4 + 8) + (2 + 4 + 8) + 3);
    let saved = ctx().spawn(async move {
        let store = Store { name: "ab".to_owned() };
        store.save(&mut Connection(0)).with(&ctxprop::Ctx::current()).await
    });
    assert_eq!(saved.await.unwrap().unwrap(), 1 + 2 + 8);
}
