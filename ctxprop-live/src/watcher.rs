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
use ctxprop::observe::{Event, Made, ObservedKind, Observer, Outcome};

use crate::clock;
use crate::entry::{AtHand, Entry, Pending, Seen};
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
    open: Vec<Open>,
    now: u64,
}

/// What is being polled. It is kept once it, or something inside of it, stays pending: most awaits are ready at once, and cost no
/// more than this.
struct Open {
    id: u64,
    /// What is to be kept; nothing where it is.
    new: Option<Pending>,
}

impl Open {
    fn known(id: u64) -> Open {
        Open { id, new: None }
    }
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
fn is_task(kind: ObservedKind) -> bool {
    matches!(kind, ObservedKind::Task | ObservedKind::Blocking)
}

/// Whether it can only be polled inside of something else.
fn is_inner(kind: ObservedKind) -> bool {
    matches!(kind, ObservedKind::Leaf | ObservedKind::Await | ObservedKind::Part)
}

/// What is polled.
struct Polled<'a> {
    id: u64,
    kind: ObservedKind,
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
        if !(is_task(made.kind) || made.kind == ObservedKind::Request) {
            return;
        }
        let Some(ctx) = made.ctx else { return };
        let unit = here(|running| running.last()?.entry.as_ref().map(|entry| entry.id));
        let spawned_in = unit.flatten();
        let kept = self.live.insert(|| {
            let (what, name) = ((made.awaits, made.place), made.name.map(Box::from));
            Entry::new(id, made.kind, name, what, ctx.clone(), (clock::now(), spawned_in))
        });
        if kept.is_none() {
            self.live.count_untracked();
        }
    }

    fn begins(&self, polled: &Polled<'_>) {
        let what = here(|running| {
            let Some(unit) = running.last_mut().filter(|_| !is_task(polled.kind)) else {
                return Begins::Unit;
            };
            if unit.entry.is_none() || unit.at_hand.polls(polled.id, polled.ctx) {
                unit.open.push(Open::known(polled.id));
                Begins::Known
            } else if is_inner(polled.kind) {
                unit.open(polled);
                Begins::Known
            } else {
                Begins::MayBeUnit
            }
        });
        match what {
            Some(Begins::Known) | None => {}
            Some(Begins::Unit) => self.begins_unit(polled, self.live.get(polled.id)),
            Some(Begins::MayBeUnit) => match self.live.get(polled.id) {
                // It was polled by another, and has moved here.
                Some(entry) => self.begins_unit(polled, Some(entry)),
                None => {
                    here(|running| running.last_mut().map(|unit| unit.open(polled)));
                }
            },
        }
    }

    fn begins_unit(&self, polled: &Polled<'_>, known: Option<Arc<Entry>>) {
        let now = clock::now();
        let entry = known.or_else(|| {
            let ctx = polled.ctx?;
            let what = ((polled.awaits)(), polled.place);
            self.live
                .insert(|| Entry::new(polled.id, polled.kind, None, what, ctx.clone(), (now, None)))
        });
        let at_hand = entry.as_ref().map_or_else(Vec::new, |entry| entry.begins(now));
        if let Some(entry) = entry.as_ref().filter(|entry| entry.sees_its_end()) {
            self.saw_its_end(entry, &at_hand);
        }
        let (at_hand, open) = (AtHand::new(at_hand), Vec::new());
        let unit = Running { id: polled.id, entry, at_hand, open, now };
        here(|running| running.push(unit));
    }

    fn ends(&self, id: u64, outcome: Outcome) {
        let over = here(|running| {
            let unit = running.last_mut()?;
            if unit.open.last().is_some_and(|open| open.id == id) {
                if outcome == Outcome::Pending {
                    unit.keep();
                }
                // Where something inside stayed pending, it was kept by that.
                if unit.open.pop().is_some_and(|open| open.new.is_none())
                    && outcome != Outcome::Pending
                {
                    unit.at_hand.remove(id);
                }
                return None;
            }
            if unit.id == id { running.pop() } else { None }
        });
        if let Some(Running { entry: Some(entry), at_hand, .. }) = over.flatten() {
            let (at_hand, changed) = at_hand.into_parts();
            entry.ends(at_hand, changed);
        }
    }

    /// It is polled for the first time since its context has ended. What it waited for is kept with its request, which may last
    /// longer.
    #[cold]
    fn saw_its_end(&self, entry: &Entry, awaits: &[Pending]) {
        if let Some(request) = self.live.request_of(&entry.ctx) {
            request.waited_for(awaits);
        }
    }

    fn gone(&self, id: u64, kind: ObservedKind) {
        let was_inside =
            here(|running| running.last_mut().is_some_and(|unit| unit.at_hand.remove(id)));
        if was_inside == Some(true) || is_inner(kind) {
            return;
        }
        let Some(entry) = self.live.remove(id) else { return };
        if kind == ObservedKind::Request {
            self.recent.push(&entry);
        }
    }
}

impl Running {
    fn open(&mut self, polled: &Polled<'_>) {
        let depth = u16::try_from(self.open.len()).unwrap_or(u16::MAX);
        let limit = polled.ctx.and_then(|ctx| {
            let (granted, deadline) = (ctxprop::observe::granted(ctx)?, ctx.deadline()?);
            Some((clock::millis(granted), clock::at(deadline)))
        });
        let new = Some(Pending {
            id: polled.id,
            depth,
            kind: polled.kind,
            place: polled.place,
            what: (polled.awaits)(),
            since: self.now,
            limit,
            end: polled.ctx.and_then(Seen::of),
        });
        self.open.push(Open { id: polled.id, new });
    }

    /// What is open stays pending: the outer before those inside it.
    fn keep(&mut self) {
        for open in &mut self.open {
            if let Some(new) = open.new.take() {
                self.at_hand.add(new);
            }
        }
    }
}

impl Observer for Watcher {
    fn told(&self, event: &Event<'_>) {
        match *event {
            Event::Made(made) => self.made(made),
            Event::PollBegins { id, kind, place, awaits, ctx, .. } => {
                self.begins(&Polled { id: id.get(), kind, place, awaits, ctx });
            }
            Event::PollEnds { id, outcome } => self.ends(id.get(), outcome),
            Event::Gone { id, kind } => self.gone(id.get(), kind),
            _ => {}
        }
    }
}
