//! [`CtxBody`]: a response body that keeps its request's context alive until it has ended, and ends with it.
//!
//! # Invariants
//! 1. The inner body is polled and dropped with the context current.
//! 2. The context ends when the body has: at its end, at an error, or when it is dropped.
//! 3. The body ends when the context has. What it has ready then may still leave, as far as that is little; what is
//!    pending, or goes on, is cut, with an error. Where nobody polls it, `watch.rs` does the same.
//! 4. No lock is held while foreign code is dropped or woken.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Waker};

use ctxprop::Cancelled;
use http_body::{Body, Frame, SizeHint};

use crate::request::InFlight;
use crate::serve::exchange::Exchange;
use crate::service::Shared;
use crate::watch::{Bound, Watched, Watchers};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How many frames may leave after the end: an error page, also one that a layer inside compressed.
const LAST_FRAMES: u8 = 16;

/// A response body bound to its request's context: the deadline bounds it too. Where the context ends first
/// it gives a [`Cancelled`](ctxprop::Cancelled) as its error, and the server closes the connection: half a body must
/// not look like a whole one.
pub struct CtxBody<B> {
    /// Apart, since it is dropped from outside where nobody polls it. Nothing where there is no body.
    cell: Option<Arc<Cell<B>>>,
}

struct Cell<B> {
    state: Mutex<State<B>>,
}

enum State<B> {
    Flows(Flow<B>),
    /// It was cut, and whoever polls it is not told yet. Where the server is ours, it can be asked to close what nobody
    /// reads.
    Cut(Cancelled, Option<Exchange>),
    Over,
}

/// Dropped, it drops the body in its context, and then the request is over.
struct Flow<B> {
    inner: Option<Pin<Box<B>>>,
    request: InFlight,
    last_frames: u8,
    /// Of who polled it last.
    waker: Option<Waker>,
}

impl<B> CtxBody<B>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(inner: B, request: InFlight, shared: &Arc<Shared>) -> Self {
        if inner.is_end_stream() {
            request.within(|| drop(inner));
            return CtxBody::empty();
        }
        let flow =
            Flow { inner: Some(Box::pin(inner)), request, last_frames: LAST_FRAMES, waker: None };
        let cell = Arc::new(Cell { state: Mutex::new(State::Flows(flow)) });
        let watched: Weak<Cell<B>> = Arc::downgrade(&cell);
        Watchers::watch(shared, watched);
        CtxBody { cell: Some(cell) }
    }
}

impl<B> CtxBody<B> {
    /// The body of a response that has none.
    pub(crate) fn empty() -> Self {
        CtxBody { cell: None }
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
        let Flow { inner, request, .. } = self;
        request.within(|| drop(inner.take()));
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
        let Some(cell) = &self.cell else { return Poll::Ready(None) };
        let mut state = cell.lock();
        // While it is polled it is over: a body that panics must not be polled again.
        let mut flow = match std::mem::replace(&mut *state, State::Over) {
            State::Flows(flow) => flow,
            State::Cut(cancelled, _) => return Poll::Ready(Some(Err(cancelled.into()))),
            State::Over => return Poll::Ready(None),
        };
        let saw_end = flow.request.ctx().is_done();
        let Flow { inner, request, .. } = &mut flow;
        let polled = request.within(|| match inner {
            Some(inner) => inner.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        });
        let goes_on = match &polled {
            Poll::Ready(Some(Ok(_))) if saw_end => {
                flow.last_frames = flow.last_frames.saturating_sub(1);
                flow.last_frames > 0
            }
            Poll::Ready(Some(Ok(_))) => true,
            Poll::Ready(_) => {
                drop(state);
                drop(flow);
                return polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)));
            }
            Poll::Pending => !saw_end,
        };
        if !goes_on {
            drop(state);
            let cancelled = flow.request.cut();
            drop(flow);
            return Poll::Ready(Some(Err(cancelled.into())));
        }
        let mut old = None;
        if polled.is_pending() && !flow.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            old = flow.waker.replace(cx.waker().clone());
        }
        *state = State::Flows(flow);
        drop(state);
        drop(old);
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.cell.as_ref().is_none_or(|cell| match &*cell.lock() {
            State::Flows(flow) => flow.inner.as_ref().is_none_or(|inner| inner.is_end_stream()),
            State::Cut(..) => false,
            State::Over => true,
        })
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.cell.as_ref().map_or_else(none, |cell| match &*cell.lock() {
            State::Flows(flow) => flow.inner.as_ref().map_or_else(none, |inner| inner.size_hint()),
            State::Cut(..) => SizeHint::default(),
            State::Over => none(),
        })
    }
}

impl<B> Drop for CtxBody<B> {
    fn drop(&mut self) {
        let Some(cell) = &self.cell else { return };
        let state = std::mem::replace(&mut *cell.lock(), State::Over);
        drop(state);
    }
}

impl<B: Send> Watched for Cell<B> {
    fn bound_to(&self) -> Bound {
        match self.try_lock().as_deref() {
            Some(State::Flows(flow)) => Bound::To(flow.request.ctx().clone()),
            Some(State::Cut(..) | State::Over) => Bound::Over,
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
        let cancelled = flow.request.cut();
        *state = State::Cut(cancelled, flow.request.exchange().cloned());
        drop(state);
        let waker = flow.waker.take();
        drop(flow);
        waker.into_iter().for_each(Waker::wake);
        true
    }

    fn close(&self) {
        let exchange = match self.try_lock().as_deref_mut() {
            Some(State::Cut(_, exchange)) => exchange.take(),
            _ => None,
        };
        if let Some(exchange) = exchange {
            exchange.close();
        }
    }
}

impl<B> fmt::Debug for CtxBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CtxBody");
        if let Some(cell) = &self.cell
            && let State::Flows(flow) = &*cell.lock()
        {
            out.field("ctx", flow.request.ctx());
        }
        out.finish_non_exhaustive()
    }
}
