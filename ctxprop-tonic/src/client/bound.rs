//! Bodies that end with their call: what is sent, and what is read.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use ctxprop::Ctx;
use ctxprop::run::hop::HopSpan;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use super::metrics;
use super::send::broken;
use crate::BoxError;
use crate::end::End;

/// What the caller sends. It goes on in a task of the connection's, which knows nothing of the call: at the end it
/// breaks off, and the stream is reset.
pub(crate) struct Outbound {
    body: Option<tonic::body::Body>,
    ctx: Ctx,
    end: End,
    /// Ready when nobody waits for the answer any more.
    over: Over,
}

/// Held by whoever waits for the answer of a call.
pub(crate) type Waits = oneshot::Sender<Infallible>;
pub(crate) type Over = oneshot::Receiver<Infallible>;

impl Outbound {
    pub(crate) fn bound(body: tonic::body::Body, ctx: Ctx, over: Over) -> tonic::body::Body {
        if body.is_end_stream() {
            return body;
        }
        tonic::body::Body::new(Outbound { body: Some(body), ctx, end: End::default(), over })
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // Also before what is ready at once: a stream that always has more would never end.
        if !this.end.has_come(&this.ctx, cx) && !this.over.is_terminated() {
            if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
                return Poll::Ready(frame);
            }
            if Pin::new(&mut this.over).poll(cx).is_pending()
                && this.end.poll(&this.ctx, cx).is_pending()
            {
                return Poll::Pending;
            }
        }
        this.body = None;
        this.end = End::default();
        let mut status = Status::cancelled("the call is over");
        // What the connection resets the stream with.
        status.set_source(Arc::new(h2::Error::from(h2::Reason::CANCEL)));
        Poll::Ready(Some(Err(status)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

pin_project! {
    /// What a peer answers, up to its trailers, or to the end of the context that the call was made in, whoever reads
    /// it. Dropped, it ends the call.
    pub struct CallBody<R> {
        // `None` once the context has ended: the stream is reset then, not when the reader notices.
        #[pin]
        body: Option<R>,
        ctx: Ctx,
        waits: Waits,
        // The call's, which ends with it.
        hop: Option<HopSpan>,
        end: End,
    }
}

/// The metadata with a status' details, which tonic decodes.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Takes details that cannot be decoded out of what a peer says of its status: tonic would panic.
pub(crate) fn sound(headers: &mut HeaderMap) {
    // There are few, and comparing costs less than the hash of one.
    if headers.keys().any(|name| *name == DETAILS) {
        undecodable(headers);
    }
}

#[cold]
fn undecodable(headers: &mut HeaderMap) {
    let decodes = |line: &HeaderValue| {
        let alone = HeaderMap::from_iter([(DETAILS, line.clone())]);
        let details = MetadataMap::from_headers(alone);
        details.get_bin(DETAILS.as_str()).is_some_and(|details| details.to_bytes().is_ok())
    };
    if !headers.get_all(DETAILS).iter().all(decodes) {
        headers.remove(DETAILS);
        tracing::debug!(target: "ctxprop", "a peer's details of its status were no bytes, and dropped");
    }
}

/// Tells `hop` the code that headers or trailers tell, if they tell one.
pub(crate) fn told(ctx: &Ctx, hop: Option<&mut HopSpan>, headers: Option<&HeaderMap>) {
    if hop.is_none() && !cfg!(feature = "metrics") {
        return;
    }
    let code = headers.and_then(|headers| headers.get(Status::GRPC_STATUS));
    if let Some(code) = code {
        over(ctx, hop, Code::from_bytes(code.as_bytes()));
    }
}

/// Tells `hop` the code that the call has ended with.
pub(crate) fn over(ctx: &Ctx, hop: Option<&mut HopSpan>, code: Code) {
    if let Some(hop) = hop {
        hop.answered(i64::from(code as i32));
    }
    metrics::failed(code, ctx);
}

impl<R> CallBody<R> {
    pub(crate) fn new(body: R, ctx: Ctx, waits: Waits, hop: Option<HopSpan>) -> Self {
        CallBody { body: Some(body), ctx, waits, hop, end: End::default() }
    }
}

impl<R> Body for CallBody<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        if !this.end.has_come(this.ctx, cx) {
            if let Poll::Ready(frame) = body.poll_frame(cx) {
                let mut frame =
                    frame.map(|frame| frame.map_err(|error| broken(this.ctx, error.into())));
                if let Some(trailers) =
                    frame.as_mut().and_then(|it| it.as_mut().ok()?.trailers_mut())
                {
                    sound(trailers);
                }
                match &frame {
                    Some(Ok(frame)) => told(this.ctx, this.hop.as_mut(), frame.trailers_ref()),
                    Some(Err(status)) => over(this.ctx, this.hop.as_mut(), status.code()),
                    None => {}
                }
                return Poll::Ready(frame);
            }
            if this.end.poll(this.ctx, cx).is_pending() {
                return Poll::Pending;
            }
        }
        this.body.set(None);
        *this.end = End::default();
        let Err(cancelled) = this.ctx.check() else { return Poll::Ready(None) };
        let status = Status::from(cancelled);
        over(this.ctx, this.hop.as_mut(), status.code());
        Poll::Ready(Some(Err(status)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl<R> fmt::Debug for CallBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallBody").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}
