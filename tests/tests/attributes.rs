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
