//! What an await gives at the end: an error of its own type, where that can say `Cancelled`, or else the function returns
//! (3.2.9, 3.2.10).
//!
//! Which of the two is asked by type, after the value of the await has fixed it: [`Ended::say`] is inherent where the type is
//! a `Result` whose error is `From<Cancelled>`, and a trait method for all else.
//!
//! A loop that ignores the end must not spin: after [`MOST`] refusals in one call, the next one returns from the
//! function (3.2.12).

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use super::{How, Never, Unwinds};
use crate::cause::Cancelled;
use crate::run::leaf::Ended;

/// So many leaves of one call may be refused and go on.
const MOST: u8 = 8;

/// Where a second leaf of a call was refused, told once (3.2.13).
static TOLD: Mutex<Option<HashSet<&'static Location<'static>>>> = Mutex::new(None);

impl<E> Unwinds<E> {
    /// Counts a leaf that was refused, at `place`. True where it is one too many.
    #[cold]
    fn counts_refusal(&self, place: &'static Location<'static>) -> bool {
        let before = self.refused.load(Relaxed);
        self.refused.store(before.saturating_add(1), Relaxed);
        if before == 1 {
            let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
            let first = told.get_or_insert_default().insert(place);
            drop(told);
            if first {
                tracing::warn!(
                    target: "ctxprop",
                    %place,
                    "[unshielded-cleanup] this await did not begin, and neither did one before it: the context has ended. \
                     Cleanup goes into `ctx.shield(limit, ..)`, which runs all the same, or `ctx.defer(limit, ..)`"
                );
            }
        }
        if before >= MOST {
            tracing::warn!(
                target: "ctxprop",
                %place,
                "a function went on after the end of its context for {MOST} awaits, none of which began: it returns here"
            );
        }
        before >= MOST
    }
}

impl<T, E: From<Cancelled>> Ended<Result<T, E>> {
    /// The error to go on with; the end, where the function is to return.
    #[cold]
    #[track_caller]
    pub fn say<R>(self, how: &Unwinds<R>) -> ControlFlow<Self, Result<T, E>> {
        if self.counts() && how.counts_refusal(Location::caller()) {
            return ControlFlow::Break(self);
        }
        ControlFlow::Continue(Err(E::from(self.cancelled())))
    }
}

/// The answer for all types that cannot say `Cancelled`.
pub trait CannotBeSaid<T>: Sized {
    #[inline]
    fn say<H: How>(self, _: &H) -> ControlFlow<Self, T> {
        ControlFlow::Break(self)
    }
}

impl<T> CannotBeSaid<T> for Ended<T> {}
impl<T> CannotBeSaid<T> for Never<T> {}
