//! Methods that futures have by extension traits, of tracing and futures.

use ctxprop::{Cancelled, propagate};
use futures::{FutureExt, TryFutureExt};
use tracing::Instrument;

use super::{Repository, ctx, fallible, work};

#[propagate]
async fn adapted(repository: &Repository) -> Result<u32, Cancelled> {
    let a = work(1).instrument(tracing::info_span!("work")).await;
    let b = repository.load(1).in_current_span().await;
    let c = fallible(1).map_err(|error| error).map_ok(|n| n + 1).await?;
    let boxed = work(1).boxed();
    let shared = repository.load(1).shared();
    let d = boxed.await + shared.clone().await + shared.await;
    Ok(a + b + c + d + work(1).map(|n| n + 1).await)
}

#[tokio::test]
async fn adaptors() {
    assert_eq!(adapted(&Repository { step: 1 }).with(&ctx()).await, Ok(7 * 101 + 2));
}
