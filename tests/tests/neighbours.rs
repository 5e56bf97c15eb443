//! Attributes of other crates beside `#[propagate]`, where both can be: what cannot is in `ui/attributes`.

use axum::extract::Path;
use axum::routing::get;
use ctxprop::{Background, Cancelled, Ctx, propagate};
use rstest::{fixture, rstest};

#[propagate]
async fn marked() -> u32 {
    tokio::task::yield_now().await;
    u32::from(*Ctx::current().value::<u8>().unwrap_or(&0))
}

#[fixture]
fn ctx() -> Ctx {
    Ctx::background().with_value(7_u8)
}

/// A test that is given its context names it.
#[propagate]
#[rstest]
#[case(1, 8)]
#[case(2, 9)]
#[tokio::test]
async fn a_case(ctx: Ctx, #[case] n: u32, #[case] sum: u32) {
    assert!(!ctx.is_done());
    assert_eq!(marked().await + n, sum);
}

#[axum::debug_handler]
#[propagate]
async fn checked_above(ctx: Ctx, Path(id): Path<u64>) -> Result<String, Cancelled> {
    Ok(format!("{id} {}", ctx.is_done()))
}

#[propagate]
#[axum::debug_handler]
async fn checked_below(ctx: Ctx, Path(id): Path<u64>) -> Result<String, Cancelled> {
    Ok(format!("{id} {}", ctx.is_done()))
}

#[tokio::test]
async fn debug_handler_above_and_below() {
    let _: axum::Router =
        axum::Router::new().route("/{id}", get(checked_above)).route("/", get(checked_below));
    let answer = checked_above(ctx(), Path(1)).await.unwrap();
    assert_eq!(answer, checked_below(ctx(), Path(1)).await.unwrap());
}

/// Code that `async_trait` wrote for a trait that knows nothing of contexts calls ours with `.with(&ctx)`.
#[async_trait::async_trait]
trait Job {
    async fn run(&self, ctx: &Ctx) -> u32;
}

struct Marked;

#[async_trait::async_trait]
impl Job for Marked {
    async fn run(&self, ctx: &Ctx) -> u32 {
        marked().with(ctx).await
    }
}

#[tokio::test]
async fn beside_async_trait() {
    let job: Box<dyn Job> = Box::new(Marked);
    assert_eq!(job.run(&ctx()).await, 7);
}

/// The trait of somebody else, who knows nothing of contexts.
#[async_trait::async_trait]
trait Foreign {
    async fn run(&self, n: u32) -> Result<u32, Cancelled>;
    async fn named(&self, ctx: &Ctx, n: &u32) -> u32;
    async fn left_out(&self) -> u32 {
        3
    }
}

struct Ours;

/// It is given what it asks for, and the bodies are carried: they run under what is current.
#[propagate]
#[async_trait::async_trait]
impl Foreign for Ours {
    async fn run(&self, n: u32) -> Result<u32, Cancelled> {
        let ready: Result<u32, Cancelled> = std::future::ready(Ok(n)).await;
        Ok(marked().await + ready?)
    }

    async fn named(&self, ctx: &Ctx, n: &u32) -> u32 {
        assert!(!ctx.is_done());
        marked().await + n
    }

    #[propagate(skip)]
    async fn left_out(&self) -> u32 {
        4
    }
}

#[tokio::test]
async fn above_async_trait_on_an_impl() {
    let ours: Box<dyn Foreign + Sync> = Box::new(Ours);
    assert_eq!(ctx().scope(ours.run(1)).await, Ok(8));
    assert_eq!(ours.named(&ctx(), &2).await, 9);
    assert_eq!(ours.left_out().await, 4);
    let (ended, canceller) = ctx().with_cancel();
    canceller.cancel();
    assert!(ended.scope(ours.run(1)).await.is_err(), "its awaits are leaves");
}
