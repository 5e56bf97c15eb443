//! Combinators that nobody knows: a user's own.

use ctxprop::{Cancelled, propagate};

use super::{Repository, ctx, fallible, plain, work};

/// A combinator that knows nothing of contexts.
async fn retry<F: Future<Output = Result<u32, Cancelled>>>(mut make: impl FnMut() -> F) -> u32 {
    loop {
        if let Ok(n) = make().await {
            return n;
        }
    }
}

async fn twice(call: impl Future<Output = u32>) -> u32 {
    call.await * 2
}

async fn with_step<F: Future<Output = u32>>(f: impl FnOnce(u32) -> F + Send + 'static) -> u32 {
    f(1).await
}

#[propagate]
async fn unknown(repository: &Repository) -> u32 {
    let start = 1;
    let mut sum = retry(move || fallible(start)).await + retry(|| repository_of(&repository)).await;
    sum += retry(|| fallible(*&start)).await;
    sum += twice(work(1)).await + twice(plain(1)).await;
    // not `move`, and to be `'static`: a plain function needs no context
    sum += with_step(|n| plain(n)).await;
    sum + with_step(move |n| work(n)).await
}

#[propagate]
async fn repository_of(repository: &Repository) -> Result<u32, Cancelled> {
    repository.get(1).await
}

#[propagate]
impl Repository {
    async fn again(&self) -> u32 {
        retry(|| self.get(1)).await
    }
}

#[tokio::test]
async fn unknown_combinators() {
    let repository = Repository { step: 1 };
    assert_eq!(unknown(&repository).with(&ctx()).await, 303 + 202 + 2 + 1 + 101);
    assert_eq!(repository.again().with(&ctx()).await, 101);
}
