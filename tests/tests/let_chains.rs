//! What only edition 2024 has: `if let` chains, and `gen` is a word.

use ctxprop::{Background, Cancelled, Ctx, propagate};

#[propagate]
async fn maybe(n: u32) -> Option<u32> {
    tokio::task::yield_now().await;
    (n > 0).then_some(n)
}

#[propagate]
async fn chained(a: u32, b: Option<u32>) -> Result<u32, Cancelled> {
    if let Some(one) = maybe(a).await
        && let Some(two) = b
        && one > 1
        && maybe(one).await.is_some()
        && let Some(three) = maybe(two).await
    {
        return Ok(one + two + three);
    }
    let mut left = a;
    while let Some(n) = maybe(left).await
        && n > 2
    {
        left -= 1;
    }
    Ok(left)
}

#[tokio::test]
async fn if_let_chains() {
    let ctx = Ctx::background();
    assert_eq!(chained(2, Some(3)).with(&ctx).await.unwrap(), 8);
    assert_eq!(chained(1, Some(3)).with(&ctx).await.unwrap(), 1);
    assert_eq!(chained(9, None).with(&ctx).await.unwrap(), 2);
}
