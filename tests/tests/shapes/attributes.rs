//! Attributes on the function, its arguments and its statements; `#[tracing::instrument]` above and below.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use ctxprop::{Cancelled, Ctx, propagate};

use super::{ctx, marked};

/// Docs stay.
#[propagate]
#[must_use]
#[allow(clippy::unused_async)]
#[inline]
#[cfg(not(any()))]
async fn attributes(#[cfg(not(any()))] n: u32, #[cfg(any())] absent: u32) -> u32 {
    #[cfg(any())]
    let n = absent().await;
    #[allow(unused_mut)]
    let mut n = n;
    n
}

#[tokio::test]
async fn attributes_stay() {
    assert_eq!(attributes(1).with(&ctx()).await, 1);
}

#[tracing::instrument]
#[propagate]
async fn above(n: u32) -> Result<u32, Cancelled> {
    Ok(marked().await.len() as u32 + n)
}

#[propagate(unwind)]
#[tracing::instrument(skip(n), err, ret)]
async fn below(n: u32) -> Result<u32, Cancelled> {
    Ok(marked().await.len() as u32 + n)
}

#[tracing::instrument(skip_all, fields(n))]
#[propagate]
async fn above_given(ctx: Ctx, n: u32) -> u32 {
    drop(ctx);
    marked().await.len() as u32 + n
}

#[propagate]
#[tracing::instrument(skip_all)]
async fn below_given(ctx: &Ctx, n: u32) -> impl std::fmt::Display {
    drop(ctx.clone());
    marked().await.len() as u32 + n
}

struct Store(u32);

#[propagate]
impl Store {
    #[tracing::instrument(skip(self), fields(n = self.0), ret)]
    async fn method(&self) -> u32 {
        marked().await.len() as u32 + self.0
    }

    /// Polls what it is given after it has seen the end.
    #[tracing::instrument(skip_all, err)]
    async fn goes_on(&self, polled: &AtomicBool) -> Result<(), Cancelled> {
        assert!(waits().await.is_err());
        std::future::poll_fn(|_| {
            polled.store(true, Relaxed);
            std::task::Poll::Ready(())
        })
        .await;
        Ok(())
    }
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    std::future::pending().await
}

#[tokio::test]
async fn instrument_above_and_below() {
    let ctx = ctx();
    assert_eq!(above(1).with(&ctx).await.unwrap(), 9);
    assert_eq!(below(1).with(&ctx).await.unwrap(), 9);
    assert_eq!(above_given(ctx.clone(), 1).await, 9);
    assert_eq!(below_given(&ctx, 1).await.to_string(), "9");
    assert_eq!(Store(2).method().with(&ctx).await, 10);
}

/// rustc follows 128 types into each other: of an `async fn` under that attribute it is enough for a chain of 8 calls, of such a
/// function for one of 7, and of 6 with the feature `observe`, which is on where all crates here are built together.
mod a_deep_chain {
    use ctxprop::{Cancelled, propagate};

    use super::super::ctx;

    macro_rules! chain {
        ($name:ident $next:ident $($rest:ident)*) => {
            #[propagate]
            #[tracing::instrument(skip_all, err)]
            async fn $name() -> Result<u32, Cancelled> {
                Ok($next().await? + 1)
            }
            chain!($next $($rest)*);
        };
        ($last:ident) => {
            #[propagate]
            async fn $last() -> Result<u32, Cancelled> {
                std::future::ready(Ok(0)).await
            }
        };
    }
    chain!(f0 f1 f2 f3 f4 f5 f6);

    #[tokio::test]
    async fn is_send() {
        assert_eq!(tokio::spawn(f0().with(&ctx())).await.unwrap(), Ok(6));
    }
}

/// Each await of an instrumented body is a leaf of its own: what starts after the end is not polled.
#[tokio::test]
async fn an_instrumented_body_unwinds() {
    let (ctx, canceller) = ctx().with_cancel();
    let polled = AtomicBool::new(false);
    let store = Store(1);
    let mut call = std::pin::pin!(store.goes_on(&polled).with(&ctx));
    assert!(futures::poll!(call.as_mut()).is_pending());
    canceller.cancel();
    assert!(call.await.is_err());
    assert!(!polled.load(Relaxed));
}
