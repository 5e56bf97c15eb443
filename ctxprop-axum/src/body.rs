//! [`CtxBody`]: a response body that keeps its request's context alive until it has ended.
//!
//! # Invariants
//! 1. The inner body is polled and dropped with the context current.
//! 2. The context ends when the body has: at its end, at an error, or when it is dropped.
//! 3. A body that is ready whenever it is polled registers nothing with the context.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::{Cancelled, Canceller, Cause, Ctx, Done};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::Span;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// A response body bound to its request's context: the deadline bounds it too. Where the context ends first
    /// it gives a [`Cancelled`] as its error, and the server closes the connection: half a body must not look
    /// like a whole one.
    pub struct CtxBody<B> {
        #[pin]
        inner: Option<B>,
        #[pin]
        done: Option<Done>,
        request: Option<Request>,
    }

    impl<B> PinnedDrop for CtxBody<B> {
        fn drop(this: Pin<&mut Self>) {
            this.finish();
        }
    }
}

/// The request that the body answers.
struct Request {
    ctx: Ctx,
    canceller: Canceller,
    span: Span,
}

impl<B> CtxBody<B> {
    pub(crate) fn new(inner: B, ctx: Ctx, canceller: Canceller, span: Span) -> Self {
        CtxBody { inner: Some(inner), done: None, request: Some(Request { ctx, canceller, span }) }
    }

    /// The body of a response that the layer makes itself.
    pub(crate) fn empty() -> Self {
        CtxBody { inner: None, done: None, request: None }
    }

    /// The body is over: so is the request.
    fn finish(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(request) = this.request.take() {
            this.done.set(None);
            request.span.in_scope(|| request.ctx.sync_scope(|| this.inner.set(None)));
            request.canceller.cancel_with(Cause::Finished);
        }
    }
}

impl<B> Body for CtxBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        loop {
            let mut this = self.as_mut().project();
            let (Some(request), Some(mut inner)) =
                (&*this.request, this.inner.as_mut().as_pin_mut())
            else {
                return Poll::Ready(None);
            };
            let saw_end = request.ctx.is_done();
            let polled =
                request.span.in_scope(|| request.ctx.sync_scope(|| inner.as_mut().poll_frame(cx)));
            match polled {
                Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(error))) => {
                    self.finish();
                    return Poll::Ready(Some(Err(error.into())));
                }
                Poll::Ready(None) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
            if saw_end {
                // What is pending after a poll that saw the end is given up.
                let cancelled =
                    request.ctx.check().err().unwrap_or_else(|| Cancelled::new(Cause::Finished));
                self.finish();
                return Poll::Ready(Some(Err(cancelled.into())));
            }
            if this.done.is_none() {
                this.done.set(Some(request.ctx.done()));
            }
            let ended = match this.done.as_mut().as_pin_mut() {
                Some(done) => done.poll(cx).is_ready(),
                None => false,
            };
            if !ended {
                return Poll::Pending;
            }
            this.done.set(None);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> fmt::Debug for CtxBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CtxBody")
            .field("ctx", &self.request.as_ref().map(|request| &request.ctx))
            .finish_non_exhaustive()
    }
}
