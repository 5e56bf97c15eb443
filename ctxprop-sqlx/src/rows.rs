//! A stream that a future fills, one item at a time: what a generator would be.
//!
//! The future owns the connection and borrows from it, which no hand-written stream can.
//!
//! # Invariants
//! 1. The future goes on only once its item was taken.
//! 2. Dropping the stream drops the future, and with it the connection's lease.
//! 3. An error of the future comes after all its items, and ends the stream.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::future::BoxFuture;

/// Where the future puts its items.
#[derive(Debug)]
pub(crate) struct Out<T>(Arc<Mutex<Option<T>>>);

impl<T> Out<T> {
    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Hands `item` to who reads the stream, and waits until they ask for the next one.
    pub(crate) async fn give(&self, item: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(item);
        // Pending once: the stream sees the item then, and polls again when it is asked. No waker is needed.
        let mut given = false;
        poll_fn(|_| match std::mem::replace(&mut given, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

/// The stream of what `fill` gives.
pub(crate) fn rows<'a, T, E, F>(fill: impl FnOnce(Out<T>) -> F) -> Rows<'a, T, E>
where
    F: Future<Output = Result<(), E>> + Send + 'a,
{
    let out = Out(Arc::new(Mutex::new(None)));
    let filling: BoxFuture<'a, Result<(), E>> = Box::pin(fill(Out(Arc::clone(&out.0))));
    Rows { filling: Some(filling), out, end: None }
}

pub(crate) struct Rows<'a, T, E> {
    filling: Option<BoxFuture<'a, Result<(), E>>>,
    out: Out<T>,
    end: Option<E>,
}

impl<T, E> Unpin for Rows<'_, T, E> {}

impl<T, E> Stream for Rows<'_, T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(filling) = &mut self.filling else {
            return Poll::Ready(self.end.take().map(Err));
        };
        let polled = filling.as_mut().poll(cx);
        if let Poll::Ready(end) = polled {
            self.filling = None;
            let item = self.out.take();
            return Poll::Ready(match (item, end) {
                (Some(item), end) => {
                    self.end = end.err();
                    Some(Ok(item))
                }
                (None, end) => end.err().map(Err),
            });
        }
        match self.out.take() {
            Some(item) => Poll::Ready(Some(Ok(item))),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    #[tokio::test]
    async fn items_come_in_order_and_the_error_last() {
        let mut stream = rows(|out| async move {
            out.give(1).await;
            tokio::task::yield_now().await;
            out.give(2).await;
            Err("torn")
        });
        assert_eq!(stream.next().await, Some(Ok(1)));
        assert_eq!(stream.next().await, Some(Ok(2)));
        assert_eq!(stream.next().await, Some(Err("torn")));
        assert_eq!(stream.next().await, None);
        assert_eq!(stream.next().await, None);
    }

    #[tokio::test]
    async fn the_future_goes_when_the_stream_goes() {
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let mut stream = rows::<_, (), _>(|out| async move {
            out.give(1).await;
            drop(inside);
            Ok(())
        });
        assert_eq!(stream.next().await, Some(Ok(1)));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(stream);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
