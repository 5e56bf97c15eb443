//! The rules of `docs/semantics.md` for `join!`, `try_join!` and `select!`: each branch is a frame, and at the end nothing
//! that has begun is dropped before it had its unwinding.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::program::Value;
use super::rules::{Boxed, End, Place, Siblings, World};

/// The branches of a join in a function that can say `Cancelled` (`unwinds`), or that cannot.
pub(crate) struct Branches<'a> {
    world: &'a World,
    place: Place,
    unwinds: bool,
    /// Of shields alone: it begins also after the end.
    exempt: bool,
    running: Siblings,
    branches: Vec<(Place, Boxed<'a, Value>)>,
    values: Vec<Option<Value>>,
}

impl<'a> Branches<'a> {
    pub(crate) fn new(
        world: &'a World,
        place: Place,
        (unwinds, exempt): (bool, bool),
        make: impl IntoIterator<Item = Box<dyn FnOnce(Place) -> Boxed<'a, Value> + 'a>>,
    ) -> Self {
        let running = Siblings::default();
        let made = make.into_iter().map(|make| {
            let branch = place.branch(&running);
            (branch.clone(), make(branch))
        });
        let branches: Vec<_> = made.collect();
        let values = vec![None; branches.len()];
        Branches { world, place, unwinds, exempt, running, branches, values }
    }

    fn refused(&self) -> bool {
        self.unwinds && !self.exempt && self.place.refuses(self.world)
    }

    /// Polls one branch, if it is not ready yet; gives its value if it is now.
    fn poll(&mut self, n: usize, cx: &mut Context<'_>) -> Option<Value> {
        if self.values[n].is_some() {
            return None;
        }
        let (place, branch) = &mut self.branches[n];
        let Poll::Ready(value) = branch.as_mut().poll(cx) else { return None };
        // What was ready is dropped at once, and is no running sibling any more.
        *branch = Box::pin(std::future::pending());
        self.running.borrow_mut().retain(|frame| !Rc::ptr_eq(frame, &place.frame));
        self.values[n] = Some(value);
        Some(value)
    }

    /// Whether each branch is ready or has had its unwinding, after a poll of all of them: it was polled knowing of the
    /// end, and may not go on.
    fn all_over(&self) -> bool {
        let may_go_on = |n: usize| self.branches[n].0.may_go_on(self.world);
        (0..self.values.len()).all(|n| self.values[n].is_some() || (self.place.knows() && !may_go_on(n)))
    }

    /// `join!`: what each branch gave, none where it was given up.
    pub(crate) async fn join(mut self) -> Result<Vec<Option<Value>>, End> {
        if self.refused() {
            return Err(End::Refused);
        }
        poll_fn(|cx| {
            for n in 0..self.branches.len() {
                self.poll(n, cx);
            }
            let ready = self.values.iter().all(Option::is_some);
            if ready || (self.unwinds && self.all_over()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Ok(std::mem::take(&mut self.values))
    }

    /// `try_join!`: the first error that came, or `Ok`.
    pub(crate) async fn try_join(mut self) -> Result<Value, End> {
        if self.refused() {
            return Err(End::Refused);
        }
        let mut failed = None;
        poll_fn(|cx| {
            for n in 0..self.branches.len() {
                if let Some(Err(failure)) = self.poll(n, cx) {
                    let failure = *failed.get_or_insert(failure);
                    // Before the end, an error cuts the others short.
                    if !self.unwinds || !self.place.ended(self.world) {
                        return Poll::Ready(Ok(Err(failure)));
                    }
                }
            }
            let ready = self.values.iter().all(Option::is_some);
            match failed {
                _ if !ready && !(self.unwinds && self.all_over()) => Poll::Pending,
                Some(failure) => Poll::Ready(Ok(Err(failure))),
                None if ready => Poll::Ready(Ok(Ok(()))),
                None => Poll::Ready(Err(End::GivenUp)),
            }
        })
        .await
    }

    /// `select!`: which branch was ready first, and what it gave.
    pub(crate) async fn select(mut self) -> Result<(usize, Value), End> {
        if self.refused() {
            return Err(End::Refused);
        }
        let mut winner = None;
        poll_fn(|cx| {
            for n in 0..self.branches.len() {
                if let Some(value) = self.poll(n, cx) {
                    let winner = *winner.get_or_insert((n, value));
                    // Before the end, the others are dropped.
                    if !self.unwinds || !self.place.ended(self.world) {
                        return Poll::Ready(Ok(winner));
                    }
                }
            }
            match winner {
                _ if !(self.unwinds && self.all_over()) => Poll::Pending,
                Some(winner) => Poll::Ready(Ok(winner)),
                None => Poll::Ready(Err(End::GivenUp)),
            }
        })
        .await
    }
}
