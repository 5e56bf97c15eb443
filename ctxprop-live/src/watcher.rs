//! [`Watcher`]: is told of each await, and keeps what is pending.
//!
//! A *unit* is what is polled by itself: a task, or a scope that no other is around on its thread. What is polled inside of it
//! belongs to it. Between two polls of a unit nothing here is touched, and what happens inside of one is kept by the thread: so
//! an await takes no lock, and a poll of a unit takes those of its entry, which nobody else wants but who looks.
//!
//! # Invariants
//! 1. Nothing foreign is called, and nothing that holds a context dropped, while what the thread keeps is borrowed.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;

use ctxprop::Ctx;
use ctxprop::observe::{Event, Kind, Made, Observer, Outcome};

use crate::clock;
use crate::entry::{AtHand, Entry, Pending};
use crate::recent::Ring;
use crate::registry::Registry;

/// What is told of all threads.
pub(crate) struct Watcher {
    pub(crate) live: Registry,
    pub(crate) recent: Ring,
}

/// A unit that this thread polls.
struct Running {
    id: u64,
    /// Nothing where the bound is reached.
    entry: Option<Arc<Entry>>,
    at_hand: AtHand,
    /// What is polled inside of it, the outermost first.
    open: Vec<u64>,
    now: u64,
}

thread_local! {
    /// The innermost last.
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

/// Nothing where the thread is ending.
fn here<R>(f: impl FnOnce(&mut Vec<Running>) -> R) -> Option<R> {
    RUNNING.try_with(|running| Some(f(&mut *running.try_borrow_mut().ok()?))).ok().flatten()
}

/// Whether it is polled by itself, whatever polls it.
fn is_task(kind: Kind) -> bool {
    matches!(kind, Kind::Task | Kind::Blocking)
}

/// Whether it can only be polled inside of something else.
fn is_inner(kind: Kind) -> bool {
    matches!(kind, Kind::Leaf | Kind::Await | Kind::Part)
}

/// What is polled.
struct Polled<'a> {
    id: u64,
    kind: Kind,
    place: &'static Location<'static>,
    awaits: fn() -> &'static str,
    ctx: Option<&'a Ctx>,
}

/// What to do about a poll that begins.
enum Begins {
    Known,
    /// It is a unit, unless it is known to be no unit.
    MayBeUnit,
    Unit,
}

impl Watcher {
    fn made(&self, made: &Made<'_>) {
        let id = made.id.get();
        if !(is_task(made.kind) || made.kind == Kind::Request) {
            return;
        }
        let Some(ctx) = made.ctx else { return };
        let kept = self.live.insert(|| {
            let (what, name) = ((made.awaits, made.place), made.name.map(Box::from));
            Entry::new(id, made.kind, name, what, ctx.clone(), clock::now())
        });
        if kept.is_none() {
            self.live.count_untracked();
        }
    }

    fn begins(&self, polled: &Polled<'_>) {
        let what = here(|running| match running.last_mut() {
            Some(_) if is_task(polled.kind) => Begins::Unit,
            Some(unit) if unit.entry.is_none() || unit.at_hand.polls(polled.id) => {
                unit.open.push(polled.id);
                Begins::Known
            }
            Some(unit) if is_inner(polled.kind) => {
                unit.add(polled);
                Begins::Known
            }
            Some(_) => Begins::MayBeUnit,
            None => Begins::Unit,
        });
        match what {
            Some(Begins::Known) | None => {}
            Some(Begins::Unit) => self.begins_unit(polled, self.live.get(polled.id)),
            Some(Begins::MayBeUnit) => match self.live.get(polled.id) {
                // It was polled by another, and has moved here.
                Some(entry) => self.begins_unit(polled, Some(entry)),
                None => drop(here(|running| {
                    if let Some(unit) = running.last_mut() {
                        unit.add(polled);
                    }
                })),
            },
        }
    }

    fn begins_unit(&self, polled: &Polled<'_>, known: Option<Arc<Entry>>) {
        let now = clock::now();
        let entry = known.or_else(|| {
            let ctx = polled.ctx?;
            let what = ((polled.awaits)(), polled.place);
            self.live.insert(|| Entry::new(polled.id, polled.kind, None, what, ctx.clone(), now))
        });
        let at_hand = entry.as_ref().map_or_else(Vec::new, |entry| entry.begins(now));
        let (at_hand, open) = (AtHand::new(at_hand), Vec::new());
        let unit = Running { id: polled.id, entry, at_hand, open, now };
        drop(here(|running| running.push(unit)));
    }

    fn ends(&self, id: u64, outcome: Outcome) {
        let over = here(|running| {
            let unit = running.last_mut()?;
            if unit.open.last() == Some(&id) {
                if outcome == Outcome::GivenUp {
                    let given_up: Vec<_> = unit.at_hand.only(&unit.open).collect();
                    let entry = unit.entry.clone();
                    unit.ends(id);
                    return entry.map(|entry| Over::GivenUp(entry, given_up));
                }
                unit.open.pop();
                if outcome != Outcome::Pending {
                    unit.at_hand.remove(id);
                }
                return None;
            }
            if unit.id == id { running.pop().map(Over::Unit) } else { None }
        });
        match over.flatten() {
            None => {}
            Some(Over::GivenUp(entry, given_up)) => self.gives_up(&entry, given_up),
            Some(Over::Unit(unit)) => {
                let Running { entry: Some(entry), at_hand, .. } = unit else { return };
                let (at_hand, changed) = at_hand.into_parts();
                if outcome == Outcome::GivenUp {
                    self.gives_up(&entry, at_hand.clone());
                }
                entry.ends(at_hand, changed);
            }
        }
    }

    /// What it waited for is kept with its request, which may last longer.
    #[cold]
    fn gives_up(&self, entry: &Entry, open: Vec<Pending>) {
        if let Some(request) = self.live.request_of(&entry.ctx) {
            request.gives_up(open.into_iter());
        }
    }

    fn gone(&self, id: u64, kind: Kind) {
        let was_inside = here(|running| {
            running.last_mut().is_some_and(|unit| unit.at_hand.remove(id))
        });
        if was_inside == Some(true) || is_inner(kind) {
            return;
        }
        let Some(entry) = self.live.remove(id) else { return };
        if kind == Kind::Request {
            self.recent.push(&entry);
        }
    }
}

enum Over {
    GivenUp(Arc<Entry>, Vec<Pending>),
    Unit(Running),
}

impl Running {
    fn add(&mut self, polled: &Polled<'_>) {
        let depth = u16::try_from(self.open.len()).unwrap_or(u16::MAX);
        self.open.push(polled.id);
        let limit = match (polled.kind, polled.ctx) {
            (Kind::Shield, Some(ctx)) => ctx.deadline().map(|deadline| {
                let granted = ctxprop::observe::granted(ctx).map_or(0, clock::millis);
                (granted, clock::at(deadline))
            }),
            _ => None,
        };
        self.at_hand.add(Pending {
            id: polled.id,
            depth,
            kind: polled.kind,
            place: polled.place,
            what: (polled.awaits)(),
            since: self.now,
            limit,
        });
    }

    fn ends(&mut self, id: u64) {
        self.open.pop();
        self.at_hand.remove(id);
    }
}

impl Observer for Watcher {
    fn told(&self, event: &Event<'_>) {
        match *event {
            Event::Made(made) => self.made(made),
            Event::PollBegins { id, kind, place, awaits, ctx } => {
                self.begins(&Polled { id: id.get(), kind, place, awaits, ctx });
            }
            Event::PollEnds { id, outcome } => self.ends(id.get(), outcome),
            Event::Gone { id, kind } => self.gone(id.get(), kind),
            _ => {}
        }
    }
}
