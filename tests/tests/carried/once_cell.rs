//! `tokio::sync::OnceCell`.

use ctxprop::{Cancelled, propagate};
use tokio::sync::OnceCell;

use super::{Repository, ctx, fallible, work};

#[propagate]
async fn initialised(repository: &Repository) -> Result<u32, Cancelled> {
    let (a, b, c) = (OnceCell::new(), OnceCell::new(), OnceCell::const_new());
    let a = *a.get_or_init(|| work(1)).await;
    let b = *b.get_or_try_init(|| fallible(2)).await?;
    Ok(a + b + *c.get_or_init(|| repository.load(3)).await)
}

/// That of std gives a value.
#[propagate]
async fn of_std() -> u32 {
    let cell = std::sync::OnceLock::new();
    *cell.get_or_init(|| std::env::args().count() as u32)
}

#[tokio::test]
async fn cells() {
    assert_eq!(initialised(&Repository { step: 1 }).with(&ctx()).await, Ok(306));
    assert!(of_std().with(&ctx()).await > 0);
}
