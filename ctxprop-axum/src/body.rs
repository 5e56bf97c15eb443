//! [`CtxBody`]: a response body that keeps its request's context alive until it has ended, and ends with it.
//!
//! # Invariants
//! 1. The inner body is polled and dropped with the context current.
//! 2. The context ends when the body has: at its end, at an error, or when it is dropped.
//! 3. The body ends when the context has. What it has ready then may still leave, as far as that is little; what is
//!    pending, or goes on, is cut, with an error. Where nobody polls it, a watcher does the same.
//! 4. The head of the response has left before the body is cut, also where the end came before the first poll.
//! 5. No lock is held while foreign code is dropped or woken, but the body's own in the poll in which it ends: nobody waits
//!    for that one but whoever polls.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Waker};

use ctxprop::Cancelled;
use ctxprop_server::{Bound, Place, Watched};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::request::InFlight;
use crate::serve::exchange::Exchange;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How many frames may leave after the end: an error page, also one that a layer inside compressed.
const LAST_FRAMES: u8 = 16;

/// A response body bound to its request's context: the deadline bounds it too. Where the context ends first
/// it gives a [`Cancelled`](ctxprop::Cancelled) as its error, and the server closes the connection: half a body must
/// not look like a whole one.
pub struct CtxBody<B> {
    /// Apart, since it is dropped from outside where nobody polls it. Nothing where there is no body.
    cell: Option<Arc<Cell<B>>>,
    /// On the list of those that are watched from outside.
    place: Option<Place>,
    /// How long it will be, as long as nobody has polled it: servers ask for that first, and need no lock for it.
    fresh: Option<SizeHint>,
}

struct Cell<B> {
    state: Mutex<State<B>>,
}

enum State<B> {
    /// Boxed, so that it is pinned, and taken out by its pointer.
    Flows(Pin<Box<Flow<B>>>),
    /// It was cut, and whoever polls it is not told yet. Where the server is ours, it can be asked to close what nobody
    /// reads.
    Cut(Cancelled, Option<Exchange>),
    Over,
}

pin_project! {
    /// Dropped, it drops the body in its context, and then the request is over.
    struct Flow<B> {
        #[pin]
        inner: Option<B>,
        request: InFlight,
        last_frames: u8,
        // Of who polled it last.
        waker: Option<Waker>,
    }

    impl<B> PinnedDrop for Flow<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                this.request.within(|| this.inner.set(None));
            }
        }
    }
}

impl<B> CtxBody<B>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(inner: B, request: InFlight) -> Self {
        if inner.is_end_stream() {
            request.within(|| drop(inner));
            return CtxBody::empty();
        }
        let fresh = Some(inner.size_hint());
        let flow = Flow { inner: Some(inner), request, last_frames: LAST_FRAMES, waker: None };
        let cell = Arc::new(Cell { state: Mutex::new(State::Flows(Box::pin(flow))) });
        let watched: Weak<Cell<B>> = Arc::downgrade(&cell);
        let place = match &*cell.lock() {
            State::Flows(flow) => flow.request.shared.watchers.watch(watched),
            State::Cut(..) | State::Over => None,
        };
        CtxBody { cell: Some(cell), place, fresh }
    }
}

impl<B> CtxBody<B> {
    /// The body of a response that has none.
    pub(crate) fn empty() -> Self {
        CtxBody { cell: None, place: None, fresh: None }
    }

    /// Tells of a cut at the next poll. hyper first polls a body when it has written the head, and sends that when the body is
    /// pending: at an error it would lose it, and the client would have no answer at all.
    fn next_time<T>(cx: &mut Context<'_>) -> Poll<T> {
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// What is over needs nobody to watch it.
    fn is_over(place: &mut Option<Place>, flow: &Flow<B>) {
        if let Some(place) = place.take() {
            flow.request.shared.watchers.forget(place);
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
        let CtxBody { cell: place_of_cell, place, fresh } = self.get_mut();
        let is_first = fresh.take().is_some();
        let Some(cell) = place_of_cell else { return Poll::Ready(None) };
        let mut state = cell.lock();
        // While it is polled it is over: a body that panics must not be polled again.
        let mut flow = match std::mem::replace(&mut *state, State::Over) {
            State::Flows(flow) => flow,
            State::Cut(cancelled, exchange) if is_first => {
                *state = State::Cut(cancelled, exchange);
                return Self::next_time(cx);
            }
            State::Cut(cancelled, _) => return Poll::Ready(Some(Err(cancelled.into()))),
            State::Over => return Poll::Ready(None),
        };
        let mut this = flow.as_mut().project();
        let saw_end = this.request.ctx().is_done();
        let (polled, ends) = this.request.within(|| {
            let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
                return (Poll::Ready(None), true);
            };
            let polled = inner.as_mut().poll_frame(cx);
            let ends = match &polled {
                Poll::Ready(Some(Ok(_))) => inner.is_end_stream(),
                Poll::Ready(_) => true,
                Poll::Pending => false,
            };
            if ends {
                this.inner.set(None);
            }
            (polled, ends)
        });
        let goes_on = match &polled {
            Poll::Ready(_) if ends => true,
            Poll::Ready(_) if saw_end => {
                *this.last_frames = this.last_frames.saturating_sub(1);
                *this.last_frames > 0
            }
            Poll::Ready(_) => true,
            Poll::Pending => !saw_end,
        };
        if ends {
            drop(state);
            Self::is_over(place, &flow);
            drop(flow);
            *place_of_cell = None;
            return polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)));
        }
        if !goes_on {
            let cancelled = this.request.cut();
            if is_first {
                *state = State::Cut(cancelled.clone(), None);
            }
            drop(state);
            Self::is_over(place, &flow);
            drop(flow);
            return if is_first {
                Self::next_time(cx)
            } else {
                Poll::Ready(Some(Err(cancelled.into())))
            };
        }
        let mut old = None;
        if polled.is_pending() && !this.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            old = this.waker.replace(cx.waker().clone());
        }
        *state = State::Flows(flow);
        drop(state);
        drop(old);
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        if self.fresh.is_some() {
            return false;
        }
        self.cell.as_ref().is_none_or(|cell| match &*cell.lock() {
            State::Flows(flow) => flow.inner.as_ref().is_none_or(Body::is_end_stream),
            State::Cut(..) => false,
            State::Over => true,
        })
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(hint) = &self.fresh {
            // It is `Copy` only since http-body 1.1, and 1.0.1 is enough for us.
            return Clone::clone(hint);
        }
        let none = || SizeHint::with_exact(0);
        self.cell.as_ref().map_or_else(none, |cell| match &*cell.lock() {
            State::Flows(flow) => flow.inner.as_ref().map_or_else(none, Body::size_hint),
            State::Cut(..) => SizeHint::default(),
            State::Over => none(),
        })
    }
}

impl<B> Drop for CtxBody<B> {
    fn drop(&mut self) {
        let Some(cell) = &self.cell else { return };
        let state = std::mem::replace(&mut *cell.lock(), State::Over);
        if let State::Flows(flow) = &state {
            Self::is_over(&mut self.place, flow);
        }
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
            Some(State::Flows(flow)) => flow.as_mut().project().waker.take(),
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
        let this = flow.as_mut().project();
        let (cancelled, waker) = (this.request.cut(), this.waker.take());
        *state = State::Cut(cancelled, this.request.exchange().cloned());
        drop(state);
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
