//! A combinator of one's own, which knows nothing of contexts.

use std::pin::Pin;

use ctxprop::{Cancelled, propagate};

struct Store;

#[propagate]
impl Store {
    async fn load(&self, id: u64) -> Result<u64, Cancelled> {
        Ok(id)
    }
}

fn retried<F: Future>(work: F) -> Retried<F> {
    Retried(work)
}

struct Retried<F>(F);

impl<F: Future> Future for Retried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<F::Output> {
        std::task::Poll::Pending
    }
}

#[propagate]
async fn asks(store: &Store) -> Result<u64, Cancelled> {
    let value = retried(store.load(1)).await?;
    Ok(value)
}

async fn plain(store: &Store) -> Result<u64, Cancelled> {
    retried(store.load(1)).await
}

fn main() {}
