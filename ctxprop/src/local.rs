//! The futures of functions that are `#[propagate(boxed, local)]`: nobody asks them to be `Send`, so they may hold an
//! `Rc` and run on a `LocalSet`.

use std::future::Future;
use std::pin::Pin;

/// The future of a function that is `boxed` and `local`.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The body of a function that is `boxed` and `local`.
#[inline]
pub fn boxed_local<'a, T, F: Future<Output = T> + 'a>(body: F) -> LocalBoxFuture<'a, T> {
    Box::pin(body)
}
