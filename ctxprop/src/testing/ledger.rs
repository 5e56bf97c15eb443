//! What lives: each await, scope, task, shield and context of one run, with its place; and who ends the run, and when.
//!
//! # Invariants
//! 1. It is told of its own threads alone, and counts what belongs to its own root alone: tests run side by side.
//! 2. Nothing is ended under its lock.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Phase;
use crate::context::canceller::Canceller;
use crate::ctx::Ctx;
use crate::end::cause::Cause;
use crate::run::observe::{self, CtxId, Event, Id, Made, ObservedKind, Observer, Outcome};

type Place = &'static Location<'static>;

/// When the context of the run is ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Counted from 0, in the order in which they are made.
    pub(super) leaf: usize,
    pub(super) phase: Phase,
    pub(super) cause: Cause,
}

/// An await, or anything else that is polled.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) kind: ObservedKind,
    pub(super) place: Place,
    pub(super) awaits: &'static str,
    /// The context that it runs under.
    ctx: Option<CtxId>,
    parent: Option<Id>,
    last: Option<Outcome>,
}

impl Record {
    /// The function that it awaits, or what else it is.
    pub(super) fn name(&self) -> String {
        observe::function(self.awaits).map_or_else(|| short(self.awaits), str::to_owned)
    }
}

#[derive(Debug)]
struct Context {
    place: Place,
    parent: Option<CtxId>,
}

/// An await that gave the end of the run.
#[derive(Clone, Debug)]
pub(super) struct Gave {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// The function is told of the end for the second time, here: another await of it gave it before.
    pub(super) skipped: bool,
    /// Whoever awaits the run awaits this: no task is between.
    pub(super) own: bool,
}

/// Where the end came.
#[derive(Clone, Debug)]
pub(super) struct Fired {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) at: Instant,
}

#[derive(Default)]
struct State {
    plan: Option<(Plan, Canceller)>,
    target: Option<Id>,
    fired: Option<Fired>,
    leaves: usize,
    alive: BTreeMap<Id, Record>,
    /// What has gone, as far as it is above something.
    gone: HashMap<Id, Record>,
    contexts: HashMap<CtxId, Context>,
    /// The contexts that the run itself made.
    given: Vec<CtxId>,
    gave: Vec<Gave>,
    /// The functions that were told of the end, and where.
    told: HashMap<Option<Id>, HashSet<Place>>,
}

#[derive(Default)]
pub(super) struct Ledger(Mutex<State>);

/// The name of a type without the paths in it.
fn short(name: &str) -> String {
    let mut short = String::new();
    for part in name.split_inclusive(|c: char| !c.is_alphanumeric() && !"_:".contains(c)) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

/// Something of the run that still lives.
#[derive(Clone, Debug)]
pub(super) enum Alive {
    /// What is polled, and the await that it stands at.
    Polled(Record, Option<Record>),
    Context(Place),
    /// The context that the run was given.
    Given,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A context that the run itself made.
    pub(super) fn gives(&self, ctx: &Ctx) {
        self.lock().given.push(CtxId::of(ctx));
    }

    pub(super) fn plans(&self, plan: Plan, canceller: Canceller) {
        self.lock().plan = Some((plan, canceller));
    }

    /// The plan is over: what holds the context lets it go.
    pub(super) fn forget_plan(&self) {
        let plan = self.lock().plan.take();
        drop(plan);
    }

    pub(super) fn fired(&self) -> Option<Fired> {
        self.lock().fired.clone()
    }

    pub(super) fn gave(&self) -> Vec<Gave> {
        self.lock().gave.clone()
    }

    /// How many tasks of the run live.
    pub(super) fn left_tasks(&self) -> usize {
        let state = self.lock();
        let tasks = state.alive.values().filter(|record| record.kind == ObservedKind::Task);
        tasks.filter(|record| state.is_ours(record)).count()
    }

    /// What lives of the run.
    pub(super) fn left(&self) -> Vec<Alive> {
        let state = self.lock();
        let mut left = Vec::new();
        let mut explained: HashSet<CtxId> = HashSet::new();
        for (id, record) in state.alive.iter().filter(|(_, record)| state.is_ours(record)) {
            state.explain(&mut explained, record.ctx);
            let counts = match record.kind {
                ObservedKind::Shield => record.last == Some(Outcome::Pending),
                ObservedKind::Task | ObservedKind::Blocking | ObservedKind::Deferred => true,
                ObservedKind::Leaf | ObservedKind::Await | ObservedKind::Part => false,
                // The outermost of scopes in scopes.
                _ => state.above(record).next().is_none(),
            };
            if counts {
                left.push(Alive::Polled(record.clone(), state.stands_at(*id)));
            }
        }
        let parents: HashSet<_> = state.contexts.values().filter_map(|ctx| ctx.parent).collect();
        for (id, context) in &state.contexts {
            // One that another holds is told by that one.
            if state.descends(*id) && !explained.contains(id) && !parents.contains(id) {
                let given = state.given.contains(id);
                left.push(if given { Alive::Given } else { Alive::Context(context.place) });
            }
        }
        left
    }
}

impl State {
    /// Whether a context is of the run.
    fn descends(&self, ctx: CtxId) -> bool {
        let up = |ctx: &CtxId| self.contexts.get(ctx)?.parent;
        std::iter::successors(Some(ctx), up).any(|ctx| self.given.contains(&ctx))
    }

    fn is_ours(&self, record: &Record) -> bool {
        record.ctx.is_some_and(|ctx| self.descends(ctx))
    }

    /// What is alive holds its context, and those above.
    fn explain(&self, explained: &mut HashSet<CtxId>, ctx: Option<CtxId>) {
        let up = |ctx: &CtxId| self.contexts.get(ctx)?.parent;
        explained.extend(std::iter::successors(ctx, up));
    }

    /// The live ones that a record is in.
    fn above<'a>(&'a self, record: &'a Record) -> impl Iterator<Item = &'a Record> {
        let alive = |id: Option<Id>| self.alive.get(&id?);
        std::iter::successors(alive(record.parent), move |above| alive(above.parent))
    }

    /// The innermost await that something is pending at.
    fn stands_at(&self, id: Id) -> Option<Record> {
        let is_inside = |record: &Record| {
            std::iter::successors(record.parent, |id| self.alive.get(id)?.parent)
                .any(|above| above == id)
        };
        let pending = |record: &&Record| record.last == Some(Outcome::Pending);
        self.alive.values().rev().filter(pending).find(|record| is_inside(record)).cloned()
    }

    fn made(&mut self, made: &Made<'_>) -> Option<(Canceller, Cause)> {
        let ctx = made.ctx.map(CtxId::of);
        let (kind, place, awaits, parent) = (made.kind, made.place, made.awaits, made.parent);
        let record = Record { kind, place, awaits, ctx, parent, last: None };
        self.alive.insert(made.id, record);
        if !matches!(kind, ObservedKind::Leaf | ObservedKind::Await) {
            return None;
        }
        let number = self.leaves;
        self.leaves += 1;
        let (plan, _) = self.plan.as_ref().filter(|(plan, _)| plan.leaf == number)?;
        self.target = Some(made.id);
        if plan.phase == Phase::Before { self.fire(made.id) } else { None }
    }

    fn ends(&mut self, id: Id, outcome: Outcome) -> Option<(Canceller, Cause)> {
        let record = self.alive.get_mut(&id)?;
        record.last = Some(outcome);
        if matches!(outcome, Outcome::Refused | Outcome::GivenUp) {
            self.gives_the_end(id, outcome);
        }
        let (plan, _) = self.plan.as_ref().filter(|_| self.target == Some(id))?;
        let now = match outcome {
            Outcome::Pending => Phase::During,
            Outcome::Ready => Phase::After,
            _ => return None,
        };
        if plan.phase == now { self.fire(id) } else { None }
    }

    fn fire(&mut self, id: Id) -> Option<(Canceller, Cause)> {
        let record = self.alive.get(&id)?;
        let (place, name) = (record.place, record.name());
        let (plan, canceller) = self.plan.take()?;
        self.fired = Some(Fired { place, name, at: Instant::now() });
        Some((canceller, plan.cause))
    }

    /// An await gave the end of the run, if it was that one's.
    fn gives_the_end(&mut self, id: Id, outcome: Outcome) {
        let Some(record) = self.alive.get(&id).filter(|_| self.fired.is_some()).cloned() else {
            return;
        };
        let is_await = matches!(record.kind, ObservedKind::Leaf | ObservedKind::Await);
        if !(is_await || record.kind == ObservedKind::Run) || !self.is_ours(&record) {
            return;
        }
        let mut skipped = false;
        if is_await {
            let told = self.told.entry(record.parent).or_default();
            let elsewhere = told.iter().any(|place| *place != record.place);
            skipped = outcome == Outcome::Refused && elsewhere;
            told.insert(record.place);
        }
        let find = |id: &Id| self.alive.get(id).or_else(|| self.gone.get(id));
        let mut above =
            std::iter::successors(record.parent, |id| find(id)?.parent).filter_map(|id| find(&id));
        let own = !above.any(|above| above.kind == ObservedKind::Task);
        // What another crate runs under the context is told at the await of it.
        let around = record.parent.and_then(|id| self.alive.get(&id));
        let is_leaf =
            |around: &&Record| matches!(around.kind, ObservedKind::Leaf | ObservedKind::Await);
        let shown = around.filter(|_| !is_await).filter(is_leaf).unwrap_or(&record);
        let (place, name) = (shown.place, shown.name());
        self.gave.push(Gave { place, name, outcome, skipped, own });
    }
}

impl Observer for Ledger {
    fn told(&self, event: &Event<'_>) {
        let mut state = self.lock();
        let fire = match *event {
            Event::Made(made) => state.made(made),
            Event::PollBegins { id, within, .. } => {
                // Parts of joins are made before the join that polls them, and tasks are polled by nobody.
                if let Some(record) = state.alive.get_mut(&id)
                    && within.is_some()
                {
                    record.parent = within;
                }
                None
            }
            Event::PollEnds { id, outcome } => state.ends(id, outcome),
            Event::Gone { id, .. } => {
                if let Some(record) = state.alive.remove(&id) {
                    state.gone.insert(id, record);
                }
                None
            }
            Event::CtxMade { ctx, place } => {
                let parent = observe::parent(ctx).map(|parent| CtxId::of(&parent));
                state.contexts.insert(CtxId::of(ctx), Context { place, parent });
                None
            }
            Event::CtxGone { ctx } => {
                state.contexts.remove(&ctx);
                None
            }
            Event::CtxCancelled { .. } => None,
        };
        drop(state);
        // Invariant 2.
        if let Some((canceller, cause)) = fire {
            canceller.cancel_with(cause);
        }
    }
}
