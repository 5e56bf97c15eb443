//! Async blocks, closures and streams: what makes futures inside of a body.

use std::io;
// In the prelude since edition 2024; this file is compiled in 2021 too.
#[allow(unused_imports)]
use std::future::Future;
use std::pin::pin;

use ctxprop::{Ctx, propagate};
use futures::StreamExt;

use super::{AppResult, add_one, ctx, marked};

#[propagate]
async fn blocks(ctx: Ctx) -> AppResult<Vec<&'static str>> {
    let local = String::from("borrowed");
    let borrows = async { (marked().await, local.len()) };
    let owned: std::pin::Pin<Box<dyn Future<Output = &'static str> + Send>> =
        Box::pin(async move { marked().await });
    let spawned = ctx.spawn(async { marked().await });
    let nested = async { async { marked().await }.await };
    let typed = async {
        let n = add_one(1).await?;
        Ok::<_, io::Error>(n)
    };
    assert_eq!(typed.await?, 2);
    Ok(vec![borrows.await.0, owned.await, spawned.await?, nested.await])
}

#[propagate]
async fn closures(ctx: Ctx) -> AppResult<u32> {
    let offset = 10;
    let borrows = |n| async move { add_one(n).await.map(|n| n + offset) };
    let owns = move |n: u32| async move { add_one(n).await };
    let plain = |n: u32| n * 2;
    let lends = |n: u32| add_one(n).with(&ctx);
    let nested = move |n: u32| move |m: u32| async move { add_one(n + m).await };
    let mut sum =
        borrows(1).await? + owns(1).await? + plain(1) + lends(1).await? + nested(1)(1).await?;
    for result in futures::future::join_all((0..3).map(|n| async move { add_one(n).await })).await {
        sum += result?;
    }
    let task = ctx.spawn(owns(1));
    Ok(sum + task.await??)
}

#[propagate]
async fn async_closures() -> AppResult<u32> {
    let base = 1;
    let borrows = async |n: u32| add_one(base + n).await;
    let owns = async move |n: u32| -> AppResult<u32> {
        let n = add_one(base + n).await?;
        Ok(n)
    };
    Ok(borrows(1).await? + owns(2).await?)
}

#[tokio::test]
async fn blocks_and_closures() {
    assert_eq!(blocks(ctx()).await.unwrap(), ["conveyed"; 4]);
    assert_eq!(closures(ctx()).await.unwrap(), 12 + 2 + 2 + 2 + 3 + 6 + 2);
    assert_eq!(async_closures().with(&ctx()).await.unwrap(), 7);
}

#[propagate]
async fn streams(ctx: Ctx) -> u32 {
    let mut sum = 0;
    let mut mapped =
        pin!(futures::stream::iter(0..3).then(|n| async move { add_one(n).await.unwrap_or(0) }));
    while let Some(n) = mapped.next().await {
        sum += n;
    }
    // more than one at a time, with wakers of their own
    let mut buffered = futures::stream::iter(0..3)
        .map(|n| async move { add_one(n).await.unwrap_or(0) + marked().await.len() as u32 })
        .buffer_unordered(2);
    while let Some(n) = buffered.next().await {
        sum += n;
    }
    let mut unordered: futures::stream::FuturesUnordered<_> =
        (0..3).map(|n| add_one(n).with(&ctx)).collect();
    while let Some(Ok(n)) = unordered.next().await {
        sum += n;
    }
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async { marked().await.len() as u32 });
    while let Some(Ok(n)) = tasks.join_next().await {
        sum += n;
    }
    sum
}

#[propagate]
async fn async_closures_are_called(ctx: Ctx) -> AppResult<u32> {
    async fn call<F: AsyncFn(u32) -> AppResult<u32>>(ctx: &Ctx, f: F) -> AppResult<u32> {
        ctx.scope(f(1)).await
    }
    let base = String::from("base");
    let borrowed = call(&ctx, async |n| Ok(add_one(n).await? + base.len() as u32)).await?;
    let early = call(&ctx, async |n| {
        if marked().await == "conveyed" {
            return Ok(n);
        }
        Err(io::Error::other("lost"))
    });
    let owned = call(&ctx, async move |n| Ok(n + base.len() as u32));
    Ok(borrowed + early.await? + owned.await?)
}

#[tokio::test]
async fn more_blocks() {
    assert_eq!(streams(ctx()).await, 6 + 6 + 24 + 6 + 8);
    assert_eq!(async_closures_are_called(ctx()).await.unwrap(), 6 + 1 + 5);
}
