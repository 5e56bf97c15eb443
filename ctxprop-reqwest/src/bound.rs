//! A body that ends with a context, whoever reads it and wherever.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use ctxprop::{Cause, Ctx};
use http_body::{Frame, SizeHint};
use reqwest::Body;

use crate::error::Error;

/// A body, the context it ends with, and the wait for that end, which begins when the body is first waited for.
pub(crate) struct Bound {
    /// `None` once the context has ended: the connection is given back then, not when the reader notices.
    body: Option<Body>,
    ctx: Ctx,
    end: Option<Pin<Box<dyn Future<Output = Cause> + Send + Sync>>>,
}

impl Bound {
    pub(crate) fn new(body: Body, ctx: Ctx) -> Self {
        Bound { body: Some(body), ctx, end: None }
    }
}

impl http_body::Body for Bound {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        // Also before what is ready at once: a body that always has more would never end.
        if let Err(cancelled) = this.ctx.check() {
            this.body = None;
            return Poll::Ready(Some(Err(cancelled.into())));
        }
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let end = this.end.get_or_insert_with(|| Box::pin(this.ctx.done()));
        if end.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.body = None;
        Poll::Ready(this.ctx.check().err().map(|cancelled| Err(cancelled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}

/// The parts of a response's body, as they come: see [`Response::bytes_stream`](crate::Response::bytes_stream).
#[cfg(feature = "stream")]
pub(crate) struct Parts(pub(crate) Bound);

#[cfg(feature = "stream")]
impl futures_core::Stream for Parts {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = http_body::Body::poll_frame(Pin::new(&mut self.0), cx);
            match std::task::ready!(frame) {
                Some(Ok(frame)) => {
                    // Trailers are no part of it.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}
