//! Macros with a language of their own are left alone; a statement may say what its macros take.

use std::time::Duration;

use async_stream::{stream, try_stream};
use ctxprop::{Cancelled, Ctx, propagate};
use futures::{Stream, StreamExt};

use super::{AppResult, add_one, ctx, marked};

#[propagate]
async fn ticks() -> Result<impl Stream<Item = u32>, Cancelled> {
    Ok(stream! {
        for n in 0..3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            yield n;
        }
    })
}

#[propagate]
async fn received() -> impl Stream<Item = u32> {
    let (send, mut receive) = tokio::sync::mpsc::channel(2);
    for n in 1..=2 {
        send.send(n).await.unwrap();
    }
    drop(send);
    stream! {
        while let Some(item) = receive.recv().await {
            yield item;
        }
    }
}

/// One that parses as an expression, and one that parses as `item; count`.
#[propagate]
async fn short() -> impl Stream<Item = u32> {
    let first = stream! { yield std::future::ready(1).await };
    let second = stream! { std::future::ready(()).await; yield 2 };
    first.chain(second)
}

#[propagate]
async fn tried() -> Result<Vec<u32>, std::io::Error> {
    let ctx = Ctx::current();
    let items = try_stream! {
        let n = add_one(1).with(&ctx).await?;
        yield n;
        Err(std::io::Error::other("ends"))?;
    };
    let items: Vec<AppResult<u32>> = items.collect().await;
    Ok(items.into_iter().flatten().collect())
}

/// The user's own: the block in it is not the function's body.
macro_rules! later {
    ($e:expr) => {
        async move { $e }
    };
}

macro_rules! timed {
    ($e:expr) => {{
        let begin = std::time::Instant::now();
        let out = async { $e }.await;
        (out, begin.elapsed())
    }};
}

async fn plain() -> u32 {
    1
}

#[propagate]
async fn own() -> Result<u32, Cancelled> {
    let (n, _) = timed!(plain().await);
    let later = later!(plain().await + 1).await;
    Ok(n + later + timed!(later!(plain().await).await).0)
}

/// A macro that takes expressions, and one that only has the name of a known one.
macro_rules! sum {
    ($($e:expr),*) => { 0 $(+ $e)* };
}

mod mine {
    macro_rules! vec {
        ($e:expr) => {
            async move { $e }
        };
    }
    pub(super) use vec;
}

#[propagate]
async fn said() -> AppResult<u32> {
    use mine::vec;

    #[propagate(expressions)]
    let sum = sum!(add_one(0).await?, marked().await.len() as u32);
    #[propagate(skip)]
    let skipped = vec![plain().await + plain().await].await;
    #[propagate(expressions)]
    let _ = sum!(add_one(0).await?);
    Ok(sum + skipped)
}

#[tokio::test]
async fn languages_of_their_own() {
    let ctx = ctx();
    let ticks: Vec<u32> = ticks().with(&ctx).await.unwrap().collect().await;
    let received: Vec<u32> = received().with(&ctx).await.collect().await;
    let short: Vec<u32> = short().with(&ctx).await.collect().await;
    assert_eq!((ticks, received, short), (vec![0, 1, 2], vec![1, 2], vec![1, 2]));
    assert_eq!(tried().with(&ctx).await.unwrap(), [2]);
    assert_eq!(own().with(&ctx).await.unwrap(), 1 + 2 + 1);
    assert_eq!(said().with(&ctx).await.unwrap(), 1 + 8 + 2);
}
