//! Both forms: the context is named, or it is carried.

use std::io;
use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};
use futures::FutureExt;

use super::{AppResult, Marker, add_one, ctx, marked};

#[propagate]
async fn given(ctx: Ctx, n: u32) -> AppResult<u32> {
    assert_eq!(ctx.value(), Some(&Marker("conveyed")));
    add_one(n).await
}

#[propagate]
async fn given_by_reference(ctx: &Ctx, n: u32) -> AppResult<u32> {
    assert_eq!(ctx.value(), Some(&Marker("conveyed")));
    add_one(n).await
}

#[propagate]
async fn given_unnamed(_: Ctx, n: u32) -> AppResult<u32> {
    add_one(n).await
}

type Context = Ctx;

#[propagate(ctx = context)]
async fn given_under_another_name(context: Context, n: u32) -> AppResult<u32> {
    drop(context);
    add_one(n).await
}

#[propagate(budget = "1h")]
async fn given_a_budget(mut ctx: Ctx) -> AppResult<Duration> {
    assert_eq!(
        ctx.remaining(),
        Ctx::current().remaining(),
        "the name means the context of the body"
    );
    ctx = ctx.with_budget_share(1.0);
    ctx.remaining().ok_or_else(|| io::Error::other("no budget"))
}

#[propagate(budget = "50%", unwind)]
async fn with_half_of_it() -> AppResult<Duration> {
    Ctx::current().remaining().ok_or_else(|| io::Error::other("no budget"))
}

#[tokio::test(start_paused = true)]
async fn both_forms() {
    assert_eq!(given(ctx(), 1).await.unwrap(), 2);
    assert_eq!(given_by_reference(&ctx(), 2).await.unwrap(), 3);
    assert_eq!(given_unnamed(ctx(), 3).await.unwrap(), 4);
    assert_eq!(given_under_another_name(ctx(), 4).await.unwrap(), 5);
    assert_eq!(add_one(5).with(&ctx()).await.unwrap(), 6);
    assert_eq!(given_a_budget(ctx()).await.unwrap(), Duration::from_secs(3600));
    let two_seconds = ctx().with_timeout(Duration::from_secs(2));
    assert_eq!(with_half_of_it().with(&two_seconds).await.unwrap(), Duration::from_secs(1));
}

#[propagate]
async fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * Box::pin(factorial(n - 1).with(&Ctx::current())).await }
}

#[propagate]
async fn nested_items() -> u32 {
    async fn untouched() -> u32 {
        std::future::ready(1).await
    }
    #[propagate]
    async fn own() -> u32 {
        marked().await;
        2
    }
    const fn helper() -> u32 {
        3
    }
    untouched().await + own().await + helper()
}

#[propagate(boxed)]
async fn boxed_factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * boxed_factorial(n - 1).await }
}

#[propagate]
async fn opaque(n: u32) -> impl std::fmt::Display + Send {
    add_one(n).await.unwrap_or(0)
}

/// Whose handlers give nothing, and it neither.
#[propagate]
async fn never_selected() -> ! {
    loop {
        tokio::select! {
            () = tokio::task::yield_now() => {}
        }
        futures::select! {
            () = std::future::ready(()).fuse() => continue,
        }
    }
}

#[propagate]
async fn never() -> ! {
    marked().await;
    loop {
        std::future::pending::<()>().await;
    }
}

#[propagate]
async fn never_given(_: &Ctx) -> ! {
    loop {
        std::future::pending::<()>().await;
    }
}

#[propagate]
async fn calls_never(n: u32) -> u32 {
    if n == 0 { never().await } else { n }
}

#[propagate]
#[allow(unsafe_code)]
async unsafe fn reads(pointer: *const u32) -> u32 {
    marked().await;
    // SAFETY: the caller says that it may be read.
    unsafe { *pointer }
}

#[propagate]
fn plain(ctx: &Ctx) -> Option<Duration> {
    ctx.remaining()
}

#[tokio::test]
async fn the_rest() {
    assert_eq!(factorial(10).with(&ctx()).await, 3_628_800);
    assert_eq!(boxed_factorial(10).with(&ctx()).await, 3_628_800);
    assert_eq!(nested_items().with(&ctx()).await, 6);
    assert_eq!(opaque(1).with(&ctx()).await.to_string(), "2");
    assert_eq!(calls_never(3).with(&ctx()).await, 3);
    let number = 7;
    // SAFETY: it points at a number.
    #[allow(unsafe_code)]
    let read = unsafe { reads(&number) };
    assert_eq!(read.with(&ctx()).await, 7);
    assert_eq!(plain(&ctx()), None);
}

/// What never returns ends with its scope.
#[tokio::test]
async fn never_ends_with_its_context() {
    let (ctx, canceller) = ctx().with_cancel();
    let (carried, given) = (ctx.spawn(never()), ctx.clone());
    let given = ctx.spawn(async move { never_given(&given).await });
    canceller.cancel();
    assert!(carried.await.is_err() && given.await.is_err());
    assert!(ctx.spawn(never_selected()).await.is_err());
}

#[propagate]
async fn cancelled_itself() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[tokio::test]
async fn cancelled_is_an_error_of_its_own() {
    let (ctx, canceller) = ctx().with_cancel();
    let task = ctx.spawn(cancelled_itself());
    canceller.cancel();
    assert!(task.await.is_err());
}
