//! [`CtxBody`]: a response body that keeps its call's context alive until its trailers, and ends with it.
//!
//! # Invariants
//! 1. The inner body is polled and dropped with the context current.
//! 2. The context ends when the body has: with its trailers, at an error, or when it is dropped.
//! 3. The body ends when the context has, with trailers that say so. What is ready then may still leave, as far as that
//!    is an answer and not a stream. Where nobody polls it, a watcher drops what is inside.
//! 4. No lock is held while foreign code is dropped or woken.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Waker};

use ctxprop_server::{Bound, Place, Watched};
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
    /// Apart, since it is ended from outside where nobody polls it. Nothing where there is no body.
    cell: Option<Arc<Cell<B>>>,
    /// On the list of those that are watched from outside.
    place: Option<Place>,
}

struct Cell<B> {
    state: Mutex<State<B>>,
}

enum State<B> {
    Flows(Flow<B>),
    /// It was cut, and whoever polls it is not told yet.
    Cut(HeaderMap),
    Over,
}

/// Dropped, it drops the body in its context, and then the call is over.
struct Flow<B> {
    inner: Option<Pin<Box<B>>>,
    call: InFlight,
    last_frames: u8,
    /// Of who polled it last.
    waker: Option<Waker>,
}

/// What a poll of the inner body means for the call.
enum Next<D> {
    /// Nothing yet, or a frame after which others come.
    GoesOn(Poll<Option<Result<Frame<D>, BoxError>>>),
    /// This was the last of it.
    Last(Option<Result<Frame<D>, BoxError>>),
    /// The context has ended.
    Cut,
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
        let flow =
            Flow { inner: Some(Box::pin(inner)), call, last_frames: LAST_FRAMES, waker: None };
        let cell = Arc::new(Cell { state: Mutex::new(State::Flows(flow)) });
        let watched: Weak<Cell<B>> = Arc::downgrade(&cell);
        let place = match &*cell.lock() {
            State::Flows(flow) => flow.call.shared.watchers.watch(watched),
            State::Cut(_) | State::Over => None,
        };
        CtxBody { cell: Some(cell), place }
    }
}

impl<B> CtxBody<B> {
    /// The body of a response that has none.
    pub(crate) fn empty() -> Self {
        CtxBody { cell: None, place: None }
    }

    /// What is over needs nobody to watch it.
    fn is_over(place: &mut Option<Place>, flow: &Flow<B>) {
        if let Some(place) = place.take() {
            flow.call.shared.watchers.forget(place);
        }
    }
}

impl<B> Cell<B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        // A body that panicked as it was polled is not polled again: see `poll_frame`.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where it is being polled just now, which may take its time.
    fn try_lock(&self) -> Option<MutexGuard<'_, State<B>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<B> Drop for Flow<B> {
    fn drop(&mut self) {
        let Flow { inner, call, .. } = self;
        call.within(|| drop(inner.take()));
    }
}

impl<B> Flow<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Next<B::Data> {
        let saw_end = self.call.ctx().is_done();
        let Flow { inner, call, last_frames, .. } = self;
        let polled = call.within(|| match inner {
            Some(inner) => inner.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        });
        let mut frame = match polled {
            Poll::Pending if saw_end => return Next::Cut,
            Poll::Pending => return Next::GoesOn(Poll::Pending),
            Poll::Ready(Some(Ok(frame))) => frame,
            // Trailers tell more than a stream that is reset.
            Poll::Ready(Some(Err(_))) if saw_end => return Next::Cut,
            Poll::Ready(last) => return Next::Last(last.map(|last| last.map_err(Into::into))),
        };
        if let Some(trailers) = frame.trailers_mut() {
            told::tell(call, trailers, None);
            return Next::Last(Some(Ok(frame)));
        }
        if saw_end {
            if *last_frames == 0 {
                return Next::Cut;
            }
            *last_frames -= 1;
        }
        Next::GoesOn(Poll::Ready(Some(Ok(frame))))
    }

    /// The trailers in place of what is left.
    fn cut(&mut self) -> HeaderMap {
        let cancelled = self.call.cut();
        told::trailers(&mut self.call, cancelled)
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
        let CtxBody { cell, place } = self.get_mut();
        let Some(cell) = cell else { return Poll::Ready(None) };
        let mut state = cell.lock();
        // While it is polled it is over: a body that panics must not be polled again.
        let mut flow = match std::mem::replace(&mut *state, State::Over) {
            State::Flows(flow) => flow,
            State::Cut(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            State::Over => return Poll::Ready(None),
        };
        match flow.poll_next(cx) {
            Next::GoesOn(polled) => {
                let mut old = None;
                if polled.is_pending()
                    && !flow.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
                {
                    old = flow.waker.replace(cx.waker().clone());
                }
                *state = State::Flows(flow);
                drop(state);
                drop(old);
                polled
            }
            Next::Last(last) => {
                drop(state);
                Self::is_over(place, &flow);
                drop(flow);
                Poll::Ready(last)
            }
            Next::Cut => {
                drop(state);
                let trailers = flow.cut();
                Self::is_over(place, &flow);
                drop(flow);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cell.as_ref().is_none_or(|cell| match &*cell.lock() {
            State::Flows(flow) => flow.inner.as_ref().is_none_or(|inner| inner.is_end_stream()),
            State::Cut(_) => false,
            State::Over => true,
        })
    }

    fn size_hint(&self) -> SizeHint {
        match self.cell {
            // There may be trailers in place of it, so its size is not for `content-length`.
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl<B> Drop for CtxBody<B> {
    fn drop(&mut self) {
        let Some(cell) = &self.cell else { return };
        let state = std::mem::replace(&mut *cell.lock(), State::Over);
        if let State::Flows(mut flow) = state {
            Self::is_over(&mut self.place, &flow);
            // Before its trailers: the caller has gone.
            flow.call.abandon();
        }
    }
}

impl<B> Watched for Cell<B>
where
    B: Body + Send,
    B::Error: Into<BoxError>,
{
    fn bound_to(&self) -> Bound {
        match self.try_lock().as_deref() {
            Some(State::Flows(flow)) => Bound::To(flow.call.ctx().clone()),
            Some(State::Cut(_) | State::Over) => Bound::Over,
            None => Bound::Polled,
        }
    }

    fn wake(&self) {
        let waker = match self.try_lock().as_deref_mut() {
            Some(State::Flows(flow)) => flow.waker.take(),
            _ => None,
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn cut(&self) -> bool {
        let Some(mut state) = self.try_lock() else { return false };
        if !matches!(&*state, State::Flows(_)) {
            return true;
        }
        let State::Flows(mut flow) = std::mem::replace(&mut *state, State::Over) else {
            return true;
        };
        *state = State::Cut(flow.cut());
        drop(state);
        let waker = flow.waker.take();
        drop(flow);
        waker.into_iter().for_each(Waker::wake);
        true
    }
}

impl<B> fmt::Debug for CtxBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CtxBody");
        if let Some(cell) = &self.cell
            && let State::Flows(flow) = &*cell.lock()
        {
            out.field("ctx", flow.call.ctx());
        }
        out.finish_non_exhaustive()
    }
}
