//! Contexts that are derived and used, each in another way; and what is derived and is no context.

use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};

use super::root;

const LIMIT: Duration = Duration::from_secs(1);

#[propagate]
async fn is_limited() -> Result<bool, Cancelled> {
    Ok(Ctx::current().remaining().is_some())
}

#[propagate]
async fn by_shadowing(ctx: Ctx) -> Result<bool, Cancelled> {
    let ctx = ctx.with_timeout(LIMIT);
    is_limited().await
}

#[propagate]
async fn by_shadowing_in_a_block(ctx: &Ctx) -> Result<bool, Cancelled> {
    let limited = {
        let ctx = &ctx.with_timeout(LIMIT);
        is_limited().await?
    };
    Ok(limited && !is_limited().await?)
}

#[propagate]
async fn by_a_call() -> Result<bool, Cancelled> {
    let short = Ctx::current().with_timeout(LIMIT);
    is_limited().with(&short).await
}

#[propagate]
async fn by_a_method(ctx: &Ctx) -> Result<bool, Cancelled> {
    let short = ctx.with_timeout(LIMIT);
    short.run(is_limited()).await?
}

#[propagate]
async fn by_a_further_one(ctx: &Ctx) -> Option<u8> {
    let short = ctx.with_timeout(LIMIT);
    let both = short.with_value(3_u8);
    both.value().copied()
}

#[propagate]
async fn in_a_macro(ctx: &Ctx) -> String {
    let short = ctx.with_timeout(LIMIT);
    let told = ctx.with_value(3_u8);
    format!("{short:?}{}", told.is_done())
}

#[propagate]
async fn in_a_closure_and_a_struct(ctx: &Ctx) -> bool {
    struct Job {
        short: Ctx,
    }
    let short = ctx.with_timeout(LIMIT);
    let told = ctx.with_value(3_u8);
    let job = move || Job { short };
    job().short.remaining().is_some() && [told].iter().all(|told| told.value::<u8>().is_some())
}

#[propagate]
async fn as_the_value_of_a_block(ctx: &Ctx) -> Option<Ctx> {
    let short = ctx.with_timeout(LIMIT);
    Some(short)
}

#[propagate]
async fn on_purpose(ctx: &Ctx) -> Result<bool, Cancelled> {
    let _short = ctx.with_timeout(LIMIT);
    let (_, canceller) = ctx.with_cancel();
    canceller.cancel();
    #[propagate(allow(unused_context, reason = "a test of the escape"))]
    let told = ctx.with_value(3_u8);
    is_limited().await
}

#[propagate(allow(unused_context, reason = "a test of the escape"))]
fn on_purpose_in_the_whole_function(ctx: &Ctx) -> bool {
    let short = ctx.with_timeout(LIMIT);
    ctx.is_done()
}

/// With the names of methods that derive contexts.
struct Builder(u8);

impl Builder {
    fn with_timeout(&self, _: Duration) -> Builder {
        Builder(self.0 + 1)
    }
    fn with_value<T>(&self, _: T) -> Result<Builder, u8> {
        Err(self.0)
    }
}

#[propagate]
async fn of_another_type() -> u8 {
    let builder = Builder(1).with_timeout(LIMIT);
    let Err(told) = builder.with_value::<u8>(3) else { return 0 };
    told + builder.0
}

#[tokio::test]
async fn none_fires() {
    let ctx = root();
    assert_eq!(by_shadowing(ctx.clone()).await, Ok(true));
    assert_eq!(by_shadowing_in_a_block(&ctx).await, Ok(true));
    assert_eq!(by_a_call().with(&ctx).await, Ok(true));
    assert_eq!(by_a_method(&ctx).await, Ok(true));
    assert_eq!(by_a_further_one(&ctx).await, Some(3));
    assert!(in_a_macro(&ctx).await.contains("false"));
    assert!(in_a_closure_and_a_struct(&ctx).await);
    assert!(as_the_value_of_a_block(&ctx).await.is_some_and(|short| short.remaining().is_some()));
    assert_eq!(on_purpose(&ctx).await, Ok(false));
    assert!(!on_purpose_in_the_whole_function(&ctx));
    assert_eq!(of_another_type().with(&ctx).await, 4);
}
