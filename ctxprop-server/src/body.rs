//! [`Held`]: what a response body of a layer holds, which ends with its request's context, though nobody polls it.
//!
//! # Invariants
//! 1. While it is polled it is over: a body that panicked as it was polled is not polled again.
//! 2. No lock is held while foreign code is dropped or woken, but its own in the poll in which it ends: nobody waits for that
//!    one but whoever polls.
//! 3. What is over needs nobody to watch it: it leaves the list then.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use ctxprop::Ctx;

use crate::watch::{Bound, Ends, Place, Watched, Watchers};

/// A body and its request. Dropped, it drops the body in its context, and then the request is over.
pub trait Flow {
    /// What whoever polls it is told where it was cut.
    type Cut;

    /// The context that it ends with.
    fn ctx(&self) -> &Ctx;

    /// Who sees to it that it does.
    fn watchers(&self) -> &Watchers;

    /// What can end that context.
    fn ends(&self) -> Ends {
        Ends::Somehow
    }

    /// The context has ended before it. Where it is `stalled`, nobody polls it.
    fn cut(&mut self, stalled: bool) -> Self::Cut;

    /// It is dropped before its end.
    fn abandon(&mut self) {}

    /// What closes what it was to be sent on, where it was cut and nobody has polled it since. Only some servers can.
    fn closes(_: &mut Self::Cut) -> Option<Box<dyn FnOnce()>> {
        None
    }
}

/// What a poll of a flow means for it.
#[derive(Debug)]
pub enum Next<T> {
    /// Nothing yet.
    Pending,
    /// Something, after which more comes.
    Some(T),
    /// The last there is, or nothing.
    Last(Option<T>),
    /// Its context has ended.
    Cut,
}

/// A flow until it is over.
pub struct Held<F: Flow> {
    /// Apart, since it is ended from outside where nobody polls it. None where there is nothing, or nothing any more.
    cell: Option<Arc<Cell<F>>>,
    /// On the list of those that are watched from outside.
    place: Option<Place>,
}

struct Cell<F: Flow> {
    state: Mutex<State<F>>,
}

enum State<F: Flow> {
    Flows(F, Option<Waker>),
    /// It was cut, and whoever polls it is not told yet. Boxed, since it is rare and all others would be as large.
    Cut(Box<F::Cut>),
    /// It is about to be there, is being polled, or is over: then whoever held it lets go of this.
    Nothing,
}

impl<F: Flow> Default for Cell<F> {
    fn default() -> Self {
        Cell { state: Mutex::new(State::Nothing) }
    }
}

impl<F: Flow> Held<F> {
    /// Holds `flow`, and has it end with its context.
    pub fn new(flow: F) -> Self
    where
        F: Send + 'static,
        F::Cut: Send,
    {
        let (cell, place) = flow.watchers().watch::<Cell<F>>(flow.ends());
        *cell.lock() = State::Flows(flow, None);
        Held { cell: Some(cell), place }
    }

    /// Nothing.
    pub const fn empty() -> Self {
        Held { cell: None, place: None }
    }

    /// What `next` gives of the flow, where that goes on; the error is what is told of a cut.
    ///
    /// Where it is `early`, a cut is told at the next poll: the server sends the head of the response when the body is first
    /// pending, and at an error it would lose it, so that the client would have no answer at all.
    pub fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        early: bool,
        next: impl FnOnce(&mut F, &mut Context<'_>) -> Next<T>,
    ) -> Poll<Option<Result<T, F::Cut>>> {
        // Invariant 1.
        let Some(cell) = self.cell.take() else { return Poll::Ready(None) };
        let mut state = cell.lock();
        let (mut flow, waker) = match std::mem::replace(&mut *state, State::Nothing) {
            State::Flows(flow, waker) => (flow, waker),
            State::Cut(cut) if early => {
                *state = State::Cut(cut);
                drop(state);
                self.cell = Some(cell);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            State::Cut(cut) => return Poll::Ready(Some(Err(*cut))),
            State::Nothing => return Poll::Ready(None),
        };
        match next(&mut flow, cx) {
            Next::Pending => {
                let (waker, old) = match waker {
                    Some(waker) if waker.will_wake(cx.waker()) => (waker, None),
                    old => (cx.waker().clone(), old),
                };
                *state = State::Flows(flow, Some(waker));
                drop(state);
                self.cell = Some(cell);
                drop(old);
                Poll::Pending
            }
            Next::Some(next) => {
                *state = State::Flows(flow, waker);
                drop(state);
                self.cell = Some(cell);
                Poll::Ready(Some(Ok(next)))
            }
            Next::Last(last) => {
                drop(state);
                Self::is_over(&mut self.place, &flow);
                drop((flow, waker));
                Poll::Ready(last.map(Ok))
            }
            Next::Cut => {
                let cut = flow.cut(false);
                if early {
                    // Its place is not free before that is told.
                    *state = State::Cut(Box::new(cut));
                    drop(state);
                    self.cell = Some(cell);
                    drop((flow, waker));
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                drop(state);
                Self::is_over(&mut self.place, &flow);
                drop((flow, waker));
                Poll::Ready(Some(Err(cut)))
            }
        }
    }

    /// What `look` sees of the flow; `cut` where it was cut, `over` where it is over.
    pub fn look<R>(&self, look: impl FnOnce(&F) -> R, cut: impl FnOnce() -> R, over: R) -> R {
        match self.cell.as_deref().map(Cell::lock).as_deref() {
            Some(State::Flows(flow, _)) => look(flow),
            Some(State::Cut(_)) => cut(),
            Some(State::Nothing) | None => over,
        }
    }

    /// Invariant 3.
    fn is_over(place: &mut Option<Place>, flow: &F) {
        if let Some(place) = place.take() {
            flow.watchers().forget(place);
        }
    }
}

impl<F: Flow> Drop for Held<F> {
    fn drop(&mut self) {
        let Some(cell) = &self.cell else { return };
        let state = std::mem::replace(&mut *cell.lock(), State::Nothing);
        if let State::Flows(mut flow, _) = state {
            Self::is_over(&mut self.place, &flow);
            flow.abandon();
        }
    }
}

impl<F: Flow> Cell<F> {
    fn lock(&self) -> MutexGuard<'_, State<F>> {
        // Invariant 1.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where it is being polled just now, which may take its time.
    fn try_lock(&self) -> Option<MutexGuard<'_, State<F>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<F: Flow + Send + 'static> Watched for Cell<F>
where
    F::Cut: Send,
{
    fn bound_to(&self) -> Bound {
        match self.try_lock().as_deref() {
            Some(State::Flows(flow, _)) => Bound::To(flow.ctx().clone()),
            Some(State::Cut(_)) => Bound::Over,
            Some(State::Nothing) | None => Bound::Polled,
        }
    }

    fn wake(&self) {
        let waker = match self.try_lock().as_deref_mut() {
            Some(State::Flows(_, waker)) => waker.take(),
            _ => None,
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn cut(&self) -> bool {
        let Some(mut state) = self.try_lock() else { return false };
        match std::mem::replace(&mut *state, State::Nothing) {
            State::Flows(mut flow, waker) => {
                *state = State::Cut(Box::new(flow.cut(true)));
                drop(state);
                drop(flow);
                waker.into_iter().for_each(Waker::wake);
            }
            told => *state = told,
        }
        true
    }

    fn close(&self) {
        let closes = match self.try_lock().as_deref_mut() {
            Some(State::Cut(cut)) => F::closes(cut),
            _ => None,
        };
        if let Some(close) = closes {
            close();
        }
    }
}

impl<F: Flow> fmt::Debug for Held<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ctx = self.look(|flow| Some(flow.ctx().clone()), || None, None);
        f.debug_struct("Held").field("ctx", &ctx).finish_non_exhaustive()
    }
}
