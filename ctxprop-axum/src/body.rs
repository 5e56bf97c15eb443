//! [`CtxBody`]: a response body that keeps its request's context alive until it has ended, and ends with it.
//!
//! # Invariants
//! 1. The inner body is polled and dropped with the context current.
//! 2. The context ends when the body has: at its end, at an error, or when it is dropped.
//! 3. The body ends when the context has. What it has ready then may still leave, as far as that is little; what is
//!    pending, or goes on, is cut, with an error. Where nobody polls it, a watcher does the same.
//! 4. The head of the response has left before the body is cut, also where the end came before the first poll.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use ctxprop::__private::has_ended;
use ctxprop::{Cancelled, Ctx};
use ctxprop_server::{Ends, Held, Lodged, Next, Room, Watchers};
use http_body::{Body, Frame, SizeHint};

use crate::request::InFlight;
use crate::serve::exchange::Exchange;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How many frames may leave after the end: an error page, also one that a layer inside compressed.
const LAST_FRAMES: u8 = 16;

/// A response body bound to its request's context: the deadline bounds it too. Where the context ends first
/// it gives a [`Cancelled`](ctxprop::Cancelled) as its error, and the server closes the connection: half a body must
/// not look like a whole one.
pub struct CtxBody<B> {
    held: Held<Flow<B>>,
    /// How long it will be, as long as nobody has polled it: servers ask for that first, and need no lock for it.
    fresh: Option<SizeHint>,
}

/// Dropped, it drops the body in its context, and then the request is over.
struct Flow<B> {
    inner: Option<Lodged<B>>,
    request: InFlight,
    last_frames: u8,
}

impl<B> Drop for Flow<B> {
    #[inline]
    fn drop(&mut self) {
        let Flow { inner, request, .. } = self;
        if inner.is_some() {
            request.within(|| *inner = None);
        }
    }
}

impl<B> CtxBody<B>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new<F: Send + 'static>(inner: B, request: InFlight, room: Room<F, B>) -> Self {
        if inner.is_end_stream() {
            request.within(|| drop(inner));
            return CtxBody::empty();
        }
        let fresh = Some(inner.size_hint());
        let flow = Flow { inner: Some(room.put(inner)), request, last_frames: LAST_FRAMES };
        CtxBody { held: Held::new(flow), fresh }
    }
}

impl<B> CtxBody<B> {
    /// The body of a response that has none.
    pub(crate) fn empty() -> Self {
        CtxBody { held: Held::empty(), fresh: None }
    }
}

impl<B> ctxprop_server::Flow for Flow<B> {
    /// Where the server is ours, it can be asked to close what nobody reads.
    type Cut = (Cancelled, Option<Exchange>);

    fn ctx(&self) -> &Ctx {
        self.request.ctx()
    }

    fn watchers(&self) -> &Watchers {
        &self.request.shared.watchers
    }

    fn ends(&self) -> Ends {
        self.request.ends()
    }

    fn cut(&mut self, stalled: bool) -> Self::Cut {
        let exchange = if stalled { self.request.exchange().cloned() } else { None };
        (self.request.cut(), exchange)
    }

    fn closes((_, exchange): &mut Self::Cut) -> Option<Box<dyn FnOnce()>> {
        let exchange = exchange.take()?;
        Some(Box::new(move || exchange.close()))
    }
}

impl<B: Body> Flow<B> {
    fn body(&self) -> Option<&B> {
        self.inner.as_ref().and_then(Lodged::get)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Next<Result<Frame<B::Data>, B::Error>> {
        let Flow { inner, request, last_frames } = self;
        // The clock is asked only where something is left: nearly all bodies are over in one poll.
        let mut saw_end = has_ended(request.ctx());
        loop {
            let (polled, ends) = request.within(|| {
                let Some(mut body) = inner.as_mut().and_then(Lodged::pinned) else {
                    return (Poll::Ready(None), true);
                };
                let polled = body.as_mut().poll_frame(cx);
                let ends = match &polled {
                    Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
                    Poll::Ready(_) => true,
                    Poll::Pending => false,
                };
                if ends {
                    *inner = None;
                }
                (polled, ends)
            });
            match polled {
                Poll::Pending if saw_end => return Next::Cut,
                // What is inside is polled once knowing of it.
                Poll::Pending if request.ctx().is_done() => saw_end = true,
                Poll::Pending => return Next::Pending,
                Poll::Ready(last) if ends => return Next::Last(last),
                Poll::Ready(frame) => {
                    if saw_end || request.ctx().is_done() {
                        *last_frames = last_frames.saturating_sub(1);
                    }
                    return match frame {
                        Some(frame) if *last_frames > 0 => Next::Some(frame),
                        _ => Next::Cut,
                    };
                }
            }
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
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let CtxBody { held, fresh } = self.get_mut();
        // hyper first polls a body when it has written the head, and sends that when the body is pending.
        let is_first = fresh.take().is_some();
        let polled = held.poll(cx, is_first, Flow::poll_next);
        polled.map(|frame| match frame? {
            Ok(frame) => Some(frame.map_err(Into::into)),
            Err((cancelled, _)) => Some(Err(cancelled.into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        if self.fresh.is_some() {
            return false;
        }
        self.held.look(|flow| flow.body().is_none_or(Body::is_end_stream), || false, true)
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(hint) = &self.fresh {
            // It is `Copy` only since http-body 1.1, and 1.0.1 is enough for us.
            return Clone::clone(hint);
        }
        let none = || SizeHint::with_exact(0);
        let left = |flow: &Flow<B>| flow.body().map_or_else(none, Body::size_hint);
        self.held.look(left, SizeHint::default, none())
    }
}

impl<B> fmt::Debug for CtxBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CtxBody").field("held", &self.held).finish_non_exhaustive()
    }
}
