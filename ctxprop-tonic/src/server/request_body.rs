//! [`RequestBody`]: what the caller sends, which ends with the call's context, whoever reads it.
//!
//! A handler may give the stream of its caller's messages to a task that knows nothing of contexts. That task is
//! woken at the end, and told.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use ctxprop::{Cancelled, Canceller, Ctx};
use ctxprop_server::gone;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};

use crate::BoxError;
use crate::end::End;

pin_project! {
    pub(crate) struct RequestBody<B> {
        // `None` once the context has ended.
        #[pin]
        body: Option<B>,
        ctx: Ctx,
        canceller: Canceller,
        // The wait for the end, which begins when the body is first waited for.
        end: End,
    }
}

impl<B> RequestBody<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn bound(body: B, ctx: Ctx, canceller: Canceller) -> tonic::body::Body {
        if body.is_end_stream() {
            return tonic::body::Body::empty();
        }
        tonic::body::Body::new(RequestBody {
            body: Some(body),
            ctx,
            canceller,
            end: End::default(),
        })
    }
}

/// The error of a stream of messages that does not come to its own end.
///
/// tonic takes `CANCELLED` for the proper end of such a stream, so a handler would take half of what its caller had to
/// say for all of it. So it is `ABORTED` here; nobody but the handler sees it, since the caller has gone.
fn cut_off(cancelled: Cancelled) -> Status {
    let status = Status::from(cancelled.clone());
    if status.code() != Code::Cancelled {
        return status;
    }
    let mut aborted = Status::aborted(status.message());
    aborted.set_source(std::sync::Arc::new(cancelled));
    aborted
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        // Before what is there is read: a caller that always sends more would never be left.
        let mut ended = if this.end.has_come(this.ctx, cx) { this.ctx.check().err() } else { None };
        if ended.is_none() {
            match body.poll_frame(cx) {
                Poll::Ready(Some(Err(error))) => {
                    // What breaks off here is the connection, or the stream that the caller has reset.
                    gone(this.ctx, this.canceller);
                    ended = this.ctx.check().err();
                    if ended.is_none() {
                        return Poll::Ready(Some(Err(Status::from_error(error.into()))));
                    }
                }
                Poll::Ready(frame) => {
                    return Poll::Ready(
                        frame.map(|frame| frame.map_err(|error| Status::from_error(error.into()))),
                    );
                }
                Poll::Pending => {
                    if this.end.poll(this.ctx, cx).is_pending() {
                        return Poll::Pending;
                    }
                    ended = this.ctx.check().err();
                }
            }
        }
        this.body.set(None);
        *this.end = End::default();
        Poll::Ready(ended.map(|cancelled| Err(cut_off(cancelled))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, |body| body.size_hint())
    }
}
