//! `Box::pin`, and what it is done for: recursion, dynamic types, `&mut` in a `select!`.

// In the prelude since edition 2024.
use std::pin::Pin;

use ctxprop::{Cancelled, propagate};

use super::{Repository, ctx, fallible, plain, work};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[propagate]
async fn boxed(repository: &Repository) -> u32 {
    let mut sum = Box::pin(work(1)).await;
    let either: Boxed<'_, u32> =
        if sum > 1 { Box::pin(repository.load(1)) } else { Box::pin(plain(0)) };
    sum += either.await;
    let mut all: Vec<Boxed<'_, u32>> = Vec::new();
    all.push(Box::pin(work(2)));
    all.push(Box::pin(plain(3)));
    for one in all {
        sum += one.await;
    }
    sum
}

#[propagate]
async fn recursive(n: u32) -> Result<u32, Cancelled> {
    if n == 0 { fallible(0).await } else { Ok(Box::pin(recursive(n - 1)).await? + 1) }
}

#[propagate]
async fn selected() -> u32 {
    let mut first = Box::pin(work(1));
    let second = work(2);
    tokio::pin!(second);
    let mut sum = tokio::select! {
        biased;
        n = &mut first => n,
        n = &mut second => n,
    };
    sum += tokio::select! {
        n = &mut first, if sum > 101 => n,
        n = &mut second, if sum == 101 => n,
    };
    sum
}

#[propagate]
async fn on_the_stack() -> u32 {
    let mut call = std::pin::pin!(work(1));
    (&mut call).await
}

#[tokio::test]
async fn boxes() {
    let ctx = ctx();
    assert_eq!(boxed(&Repository { step: 1 }).with(&ctx).await, 307);
    assert_eq!(recursive(3).with(&ctx).await, Ok(103));
    assert_eq!(selected().with(&ctx).await, 203);
    assert_eq!(on_the_stack().with(&ctx).await, 101);
}
