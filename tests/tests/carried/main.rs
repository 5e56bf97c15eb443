//! Calls that something else awaits: each carries its context (3.2.29). One file for each combinator, or family of them; what
//! has to compile as if it were a plain `async fn` is in `plain.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    clippy::redundant_closure,
    clippy::vec_init_then_push,
    clippy::obfuscated_if_else,
    clippy::borrow_deref_ref,
    clippy::deref_addrof,
    clippy::needless_borrow,
    clippy::unnecessary_lazy_evaluations,
    reason = "code as people write it"
)]

mod adaptors;
mod bound;
mod boxed;
mod buffered;
mod caches;
mod concurrent;
mod escapes;
mod join_all;
mod local_key;
mod once_cell;
mod plain;
mod rebound;
mod retry;
mod shields;
mod then;
mod timeout;
mod unordered;
mod upgrade;

use ctxprop::{Background, Cancelled, Ctx, propagate};

/// A root with a value that shows whether it got somewhere.
fn ctx() -> Ctx {
    Ctx::background().with_value(Marker(100))
}

#[derive(Clone, Copy)]
struct Marker(u32);

/// What proves that the context got here: `n` more than its value.
#[propagate]
async fn work(n: u32) -> u32 {
    tokio::task::yield_now().await;
    Ctx::current().value::<Marker>().map_or(0, |marker| marker.0) + n
}

#[propagate]
async fn fallible(n: u32) -> Result<u32, Cancelled> {
    Ok(work(n).await)
}

struct Repository {
    step: u32,
}

#[propagate]
impl Repository {
    async fn load(&self, n: u32) -> u32 {
        work(n * self.step).await
    }

    async fn get(&self, n: u32) -> Result<u32, Cancelled> {
        fallible(n * self.step).await
    }
}

/// An `async fn` as any other.
async fn plain(n: u32) -> u32 {
    n
}
