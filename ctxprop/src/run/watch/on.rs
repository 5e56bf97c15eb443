//! What is kept where something may observe: `watch.rs` has the invariants.

use std::any::type_name;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use futures_core::future::FusedFuture;
use pin_project_lite::pin_project;

use super::{ObservedKind, Outcome};
use crate::context::observed::is_on;
use crate::ctx::Ctx;
use crate::run::observe::{Event, Id, Made, tell};

/// How many numbers a thread takes at a time, so that threads do not meet at each leaf.
const BLOCK: u64 = 1 << 12;

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static FREE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    /// What is being polled.
    static CURRENT: Cell<Option<Id>> = const { Cell::new(None) };
}

fn new_id() -> Id {
    let take = |free: &Cell<(u64, u64)>| {
        let (mut next, mut end) = free.get();
        if next == end {
            next = NEXT.fetch_add(BLOCK, Relaxed);
            end = next + BLOCK;
        }
        free.set((next + 1, end));
        next
    };
    // Where the thread is ending, from the common ones.
    let id = FREE.try_with(take).unwrap_or_else(|_| NEXT.fetch_add(1, Relaxed));
    Id::new(NonZeroU64::new(id).unwrap_or(NonZeroU64::MIN))
}

/// What is being polled on this thread, as far as it was told.
pub(crate) fn current() -> Option<Id> {
    CURRENT.try_with(Cell::get).ok().flatten()
}

/// Dropped behind what it watches.
pub(crate) struct Watch {
    id: Option<Id>,
    kind: Option<ObservedKind>,
    place: &'static Location<'static>,
}

impl Watch {
    /// For what is written at the caller's, and awaits something of a type of this name.
    #[inline]
    #[track_caller]
    pub(crate) fn new(
        kind: ObservedKind,
        awaits: fn() -> &'static str,
        ctx: Option<&Ctx>,
    ) -> Watch {
        Watch::at(Location::caller(), kind, awaits, ctx)
    }

    /// The same, at the place of another.
    pub(crate) fn like(
        &self,
        kind: ObservedKind,
        awaits: fn() -> &'static str,
        ctx: Option<&Ctx>,
    ) -> Watch {
        Watch::at(self.place, kind, awaits, ctx)
    }

    #[inline]
    fn at(
        place: &'static Location<'static>,
        kind: ObservedKind,
        awaits: fn() -> &'static str,
        ctx: Option<&Ctx>,
    ) -> Watch {
        let mut watch = Watch { id: None, kind: Some(kind), place };
        if is_on() {
            watch.tell_made(kind, awaits, ctx);
        }
        watch
    }

    /// For a request under `ctx`.
    #[inline]
    #[track_caller]
    pub(crate) fn request(ctx: &Ctx, name: impl FnOnce() -> String) -> Watch {
        let mut watch = Watch::later(ObservedKind::Request);
        if is_on() {
            watch.tell_request(ctx, &name());
        }
        watch
    }

    #[cold]
    fn tell_request(&mut self, ctx: &Ctx, name: &str) {
        let (id, place, parent) = (new_id(), self.place, current());
        self.id = Some(id);
        let (ctx, name) = (Some(ctx), Some(name));
        let (kind, awaits) = (ObservedKind::Request, "");
        tell(&Event::Made(&Made { id, kind, place, parent, awaits, ctx, name }));
    }

    /// For what is told at its first poll, or by [`announce`](Watch::announce).
    #[inline]
    #[track_caller]
    pub(crate) fn later(kind: ObservedKind) -> Watch {
        Watch { id: None, kind: Some(kind), place: Location::caller() }
    }

    /// Tells that it was made, unless that was told.
    #[inline]
    pub(crate) fn announce(&mut self, awaits: fn() -> &'static str) {
        if let (Some(kind), None) = (self.kind, self.id)
            && is_on()
        {
            self.tell_made(kind, awaits, None);
        }
    }

    /// For what is a part of something that is watched.
    #[inline]
    #[track_caller]
    pub(crate) fn none() -> Watch {
        Watch { id: None, kind: None, place: Location::caller() }
    }

    #[cold]
    fn tell_made(
        &mut self,
        kind: ObservedKind,
        awaits: fn() -> &'static str,
        ctx: Option<&Ctx>,
    ) -> Id {
        let (id, place, parent) = (new_id(), self.place, current());
        self.id = Some(id);
        let made = |ctx: Option<&Ctx>| {
            let (awaits, name) = (awaits(), None);
            tell(&Event::Made(&Made { id, kind, place, parent, awaits, ctx, name }));
        };
        match ctx {
            Some(ctx) => made(Some(ctx)),
            None => made(Ctx::try_current().as_ref()),
        }
        id
    }

    /// Around each poll. What came of it, where it is ready, is told by `outcome`.
    #[inline]
    pub(crate) fn around<T>(
        &mut self,
        awaits: fn() -> &'static str,
        ctx: Option<&Ctx>,
        outcome: impl FnOnce(&T) -> Outcome,
        poll: impl FnOnce() -> Poll<T>,
    ) -> Poll<T> {
        let polling = self.polls(awaits, ctx);
        let polled = poll();
        polling.ends(match &polled {
            Poll::Ready(output) => outcome(output),
            Poll::Pending => Outcome::Pending,
        });
        polled
    }

    /// Before each poll.
    #[inline]
    pub(crate) fn polls(&mut self, awaits: fn() -> &'static str, ctx: Option<&Ctx>) -> Polling {
        match self.kind {
            Some(kind) if is_on() => self.tell_begins(kind, awaits, ctx),
            _ => Polling(None),
        }
    }

    #[cold]
    fn tell_begins(
        &mut self,
        kind: ObservedKind,
        awaits: fn() -> &'static str,
        ctx: Option<&Ctx>,
    ) -> Polling {
        let id = match self.id {
            Some(id) => id,
            None => self.tell_made(kind, awaits, ctx),
        };
        let outer = current();
        let (within, place) = (outer, self.place);
        tell(&Event::PollBegins { id, within, kind, place, awaits, ctx });
        let _ = CURRENT.try_with(|current| current.set(Some(id)));
        Polling(Some((id, outer)))
    }
}

impl Drop for Watch {
    #[inline]
    fn drop(&mut self) {
        if let (Some(id), Some(kind)) = (self.id, self.kind)
            && is_on()
        {
            tell(&Event::Gone { id, kind });
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.place, f)
    }
}

pin_project! {
    /// A future that is told of.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Observed<F> {
        #[pin]
        future: F,
        watch: Watch,
    }
}

#[track_caller]
pub(crate) fn observed<F>(future: F, kind: ObservedKind) -> Observed<F> {
    Observed { future, watch: Watch::new(kind, type_name::<F>, None) }
}

impl<F: Future> Future for Observed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polling = this.watch.polls(type_name::<F>, None);
        let polled = this.future.poll(cx);
        polling.ends(super::outcome(&polled));
        polled
    }
}

impl<F: FusedFuture> FusedFuture for Observed<F> {
    fn is_terminated(&self) -> bool {
        self.future.is_terminated()
    }
}

/// One poll.
pub(crate) struct Polling(Option<(Id, Option<Id>)>);

impl Polling {
    #[inline]
    pub(crate) fn ends(mut self, outcome: Outcome) {
        if self.0.is_some() {
            self.tell_ends(outcome);
        }
    }

    #[cold]
    fn tell_ends(&mut self, outcome: Outcome) {
        if let Some((id, outer)) = self.0.take() {
            let _ = CURRENT.try_with(|current| current.set(outer));
            tell(&Event::PollEnds { id, outcome });
        }
    }
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.tell_ends(Outcome::Panicked);
        }
    }
}
