//! The rules of `docs/semantics.md` for `join!`, `try_join!` and `select!`: each branch is a frame, and at the end nothing
//! that has begun is dropped before it had its unwinding.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::program::Value;
use super::rules::{Boxed, Place, Siblings, World};

struct Branch<'a> {
    place: Place,
    /// None once it was ready, and dropped.
    future: Option<Boxed<'a, Value>>,
    begun: bool,
    value: Option<Value>,
}

/// The branches of a join.
pub(crate) struct Branches<'a> {
    world: &'a World,
    place: Place,
    /// Whether the function can say `Cancelled`; otherwise it is as in tokio.
    unwinds: bool,
    running: Siblings,
    branches: Vec<Branch<'a>>,
}

pub(crate) type Make<'a> = Box<dyn FnOnce(Place) -> Boxed<'a, Value> + 'a>;

impl<'a> Branches<'a> {
    pub(crate) fn new(
        world: &'a World,
        place: &Place,
        unwinds: bool,
        make: impl IntoIterator<Item = Make<'a>>,
    ) -> Self {
        let running = Siblings::default();
        let branch = |make: Make<'a>| {
            let place = place.branch(&running);
            Branch { future: Some(make(place.clone())), place, begun: false, value: None }
        };
        let branches = make.into_iter().map(branch).collect();
        Branches { world, place: place.clone(), unwinds, running, branches }
    }

    /// Polls a branch that is not ready yet; gives its value if it is now.
    fn poll(&mut self, n: usize, cx: &mut Context<'_>) -> Option<Value> {
        let branch = &mut self.branches[n];
        branch.begun = true;
        let Poll::Ready(value) = branch.future.as_mut()?.as_mut().poll(cx) else { return None };
        branch.value = Some(value);
        branch.future = None;
        self.running.borrow_mut().retain(|frame| !Rc::ptr_eq(frame, &branch.place.frame));
        Some(value)
    }

    fn all_ready(&self) -> bool {
        self.branches.iter().all(|branch| branch.value.is_some())
    }

    /// After a poll of all of them: whether each is ready, or has had its unwinding (it was pending after a poll that knew
    /// of the end, and may not go on). What never began has nothing to unwind.
    fn all_over(&self) -> bool {
        let over = |branch: &Branch<'_>| {
            branch.value.is_some()
                || !branch.begun
                || (self.place.knows() && !branch.place.may_go_on(self.world))
        };
        self.unwinds && self.branches.iter().all(over)
    }

    /// Whether the end keeps it from beginning. Where all branches are shields it does not.
    fn refused(&self, exempt: bool) -> bool {
        self.unwinds && !exempt && self.place.refuses(self.world)
    }

    /// `join!`: what each branch gave, none where it was given up.
    pub(crate) async fn join(mut self, exempt: bool) -> Vec<Option<Value>> {
        if !self.refused(exempt) {
            poll_fn(|cx| {
                for n in 0..self.branches.len() {
                    self.poll(n, cx);
                }
                if self.all_ready() || self.all_over() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        self.branches.iter().map(|branch| branch.value).collect()
    }

    /// `select!`: which branch was ready first, and what it gave; none where it was refused or given up.
    pub(crate) async fn select(mut self) -> Option<(usize, Value)> {
        self.first(|_| true).await
    }

    /// `try_join!`: the first error, or `Ok`; none where it was refused or given up.
    pub(crate) async fn try_join(mut self) -> Option<Value> {
        let failed = self.first(|value| value.is_err()).await;
        failed.map(|(_, error)| error).or(self.all_ready().then_some(Ok(())))
    }

    /// The first value that decides. Before the end, the other branches are cut short by it; after the end they have their
    /// unwinding first.
    async fn first(&mut self, decides: impl Fn(Value) -> bool) -> Option<(usize, Value)> {
        if self.refused(false) {
            return None;
        }
        let mut first = None;
        poll_fn(|cx| {
            for n in 0..self.branches.len() {
                if first.is_some() && !self.branches[n].begun {
                    continue;
                }
                if let Some(value) = self.poll(n, cx).filter(|value| decides(*value)) {
                    first.get_or_insert((n, value));
                    if !self.unwinds || !self.place.ended(self.world) {
                        return Poll::Ready(first);
                    }
                }
            }
            if self.all_ready() || self.all_over() { Poll::Ready(first) } else { Poll::Pending }
        })
        .await
    }
}
