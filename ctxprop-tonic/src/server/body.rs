//! [`CtxBody`]: a response body that keeps its call's context alive until its trailers, and ends with it.
//!
//! # Invariants
//! 1. The inner body is polled and dropped with the context current.
//! 2. The context ends when the body has: with its trailers, at an error, or when it is dropped.
//! 3. The body ends when the context has, with trailers that say so. What is ready then may still leave, as far as that
//!    is an answer and not a stream. Where nobody polls it, a watcher drops what is inside.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::Ctx;
use ctxprop_server::{Held, Next, Watchers};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::call::InFlight;
use super::told;
use crate::BoxError;

/// How many frames of messages may leave after the end: those of an answer that was ready when it came.
const LAST_FRAMES: u8 = 1;

/// A response body bound to its call's context: the deadline bounds it too. Where the context ends first, its trailers
/// say why: `DEADLINE_EXCEEDED`, `UNAVAILABLE` or `CANCELLED`.
pub struct CtxBody<B> {
    held: Held<Flow<B>>,
}

/// Dropped, it drops the body in its context, and then the call is over.
struct Flow<B> {
    inner: Option<Pin<Box<B>>>,
    call: InFlight,
    last_frames: u8,
}

impl<B> Drop for Flow<B> {
    fn drop(&mut self) {
        let Flow { inner, call, .. } = self;
        call.within(|| *inner = None);
    }
}

impl<B> CtxBody<B>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(inner: B, call: InFlight) -> Self {
        if inner.is_end_stream() {
            call.within(|| drop(inner));
            return CtxBody::empty();
        }
        let flow = Flow { inner: Some(Box::pin(inner)), call, last_frames: LAST_FRAMES };
        CtxBody { held: Held::new(flow) }
    }
}

impl<B> CtxBody<B> {
    /// The body of a response that has none.
    pub(crate) fn empty() -> Self {
        CtxBody { held: Held::empty() }
    }
}

impl<B> ctxprop_server::Flow for Flow<B> {
    /// The trailers in place of what is left.
    type Cut = HeaderMap;

    fn ctx(&self) -> &Ctx {
        self.call.ctx()
    }

    fn watchers(&self) -> &Watchers {
        &self.call.shared.watchers
    }

    fn cut(&mut self, _: bool) -> HeaderMap {
        let cancelled = self.call.cut();
        told::trailers(&mut self.call, cancelled)
    }

    /// Before its trailers: the caller has gone.
    fn abandon(&mut self) {
        self.call.abandon();
    }
}

impl<B> Flow<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Next<Result<Frame<B::Data>, BoxError>> {
        let this = self;
        let saw_end = this.call.ctx().is_done();
        let polled = this.call.within(|| match &mut this.inner {
            Some(inner) => inner.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        });
        let mut frame = match polled {
            Poll::Pending if saw_end => return Next::Cut,
            Poll::Pending => return Next::Pending,
            Poll::Ready(Some(Ok(frame))) => frame,
            // Trailers tell more than a stream that is reset.
            Poll::Ready(Some(Err(_))) if saw_end => return Next::Cut,
            Poll::Ready(last) => return Next::Last(last.map(|last| last.map_err(Into::into))),
        };
        if let Some(trailers) = frame.trailers_mut() {
            told::tell(&mut this.call, trailers, None);
            return Next::Last(Some(Ok(frame)));
        }
        if saw_end {
            if this.last_frames == 0 {
                return Next::Cut;
            }
            this.last_frames -= 1;
        }
        Next::Some(Ok(frame))
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
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let polled = self.get_mut().held.poll(cx, false, Flow::poll_next);
        polled.map(|frame| match frame? {
            Ok(frame) => Some(frame),
            Err(trailers) => Some(Ok(Frame::trailers(trailers))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.held.look(|flow| flow.inner.as_ref().is_none_or(Body::is_end_stream), || false, true)
    }

    fn size_hint(&self) -> SizeHint {
        // There may be trailers in place of it, so its size is not for `content-length`.
        self.held.look(|_| SizeHint::default(), SizeHint::default, SizeHint::with_exact(0))
    }
}

impl<B> fmt::Debug for CtxBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CtxBody").field("held", &self.held).finish_non_exhaustive()
    }
}
