//! The rules of `docs/semantics.md`, 3.2, as a program that can be read beside it: contexts, scopes, frames, leaves
//! and shields. What joins are is in `rules_joined.rs`, functions and statements in `reference.rs`.
//!
//! It is written with plain async Rust and knows nothing of ctxprop: who is where is handed down as a [`Place`], and a
//! clock that only the test moves is the time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};

use super::events::Notes;
use super::program::{Failure, Value};

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What all of a program shares.
pub(crate) struct World {
    pub(crate) now: Arc<AtomicU32>,
    /// When something may happen next.
    pub(crate) times: RefCell<BTreeSet<u32>>,
    pub(crate) notes: Notes,
}

impl World {
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Relaxed)
    }

    /// The time in so many milliseconds, at which everything is polled once more.
    pub(crate) fn after(&self, millis: u32) -> u32 {
        let time = self.now() + millis;
        self.times.borrow_mut().insert(time);
        time
    }
}

/// A context, as far as its end goes.
pub(crate) struct Ctx {
    pub(crate) parent: Option<Rc<Ctx>>,
    pub(crate) cancelled: Arc<AtomicBool>,
    pub(crate) deadline: Option<u32>,
}

impl Ctx {
    pub(crate) fn child(parent: Option<&Rc<Ctx>>, deadline: u32) -> Rc<Ctx> {
        let (parent, deadline) = (parent.cloned(), Some(deadline));
        Rc::new(Ctx { parent, deadline, cancelled: Arc::default() })
    }

    fn ended(&self, world: &World) -> bool {
        self.cancelled.load(Relaxed)
            || self.deadline.is_some_and(|deadline| deadline <= world.now())
            || self.parent.as_ref().is_some_and(|parent| parent.ended(world))
    }
}

/// Where code runs: under which context, and in which frame.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) ctx: Rc<Ctx>,
    /// Whether the nearest scope saw the end before it polled what is inside.
    knows: Rc<Cell<bool>>,
    pub(crate) frame: Rc<Frame>,
}

/// A scope, or a branch of a join.
pub(crate) struct Frame {
    above: RefCell<Option<Rc<Frame>>>,
    kind: FrameKind,
    /// The shields that were first seen pending in it, or in a frame below it.
    shields: RefCell<Vec<Rc<Active>>>,
}

enum FrameKind {
    Scope,
    /// With the frames of all branches of the same join that are running.
    Branch(Siblings),
    /// The scope of a shield's work: its limit is the end there, whatever holds outside.
    Shield,
}

pub(crate) type Siblings = Rc<RefCell<Vec<Rc<Frame>>>>;

/// A shield, from its first pending poll until it is finished, dropped, or past its limit.
struct Active {
    over: Cell<bool>,
    limit: u32,
}

impl Frame {
    fn new(above: Option<&Rc<Frame>>, kind: FrameKind) -> Rc<Frame> {
        let above = RefCell::new(above.cloned());
        Rc::new(Frame { above, kind, shields: RefCell::default() })
    }

    fn active(&self, world: &World) -> Vec<Rc<Active>> {
        let active = |shield: &&Rc<Active>| !shield.over.get() && world.now() < shield.limit;
        self.shields.borrow().iter().filter(active).cloned().collect()
    }

    fn hold(self: &Rc<Frame>, shield: &Rc<Active>) {
        self.shields.borrow_mut().push(Rc::clone(shield));
        if let Some(above) = &*self.above.borrow() {
            above.hold(shield);
        }
    }

    /// May what is in this frame go on after the end? If the frame holds, or one above it holds by something other than
    /// running branches that are siblings of what is on the way up.
    pub(crate) fn may_go_on(self: &Rc<Frame>, world: &World) -> bool {
        let mut at = Rc::clone(self);
        let mut of_siblings: Vec<Rc<Active>> = Vec::new();
        loop {
            let by = |held: &Rc<Active>| !of_siblings.iter().any(|other| Rc::ptr_eq(held, other));
            if at.active(world).iter().any(by) {
                return true;
            }
            match &at.kind {
                FrameKind::Scope => {}
                FrameKind::Shield => return false,
                FrameKind::Branch(siblings) => {
                    for sibling in siblings.borrow().iter() {
                        of_siblings.extend(sibling.active(world));
                    }
                }
            }
            let Some(above) = at.above.borrow().clone() else { return false };
            at = above;
        }
    }
}

impl Place {
    pub(crate) fn ended(&self, world: &World) -> bool {
        self.ctx.ended(world)
    }

    /// Whether this poll began knowing of the end.
    pub(crate) fn knows(&self) -> bool {
        self.knows.get()
    }

    pub(crate) fn may_go_on(&self, world: &World) -> bool {
        self.frame.may_go_on(world)
    }

    /// Nothing begins after the end.
    pub(crate) fn refuses(&self, world: &World) -> bool {
        self.ended(world) && !self.may_go_on(world)
    }

    /// A place for one more branch of a join.
    pub(crate) fn branch(&self, siblings: &Siblings) -> Place {
        let frame = Frame::new(Some(&self.frame), FrameKind::Branch(Rc::clone(siblings)));
        siblings.borrow_mut().push(Rc::clone(&frame));
        Place { frame, ..self.clone() }
    }
}

/// Runs what `inner` makes as a scope of `ctx`, in the frame `above`.
pub(crate) fn scope<'a, T: 'a>(
    world: &'a World,
    ctx: Rc<Ctx>,
    above: Option<&Rc<Frame>>,
    inner: impl FnOnce(Place) -> Boxed<'a, T>,
) -> Boxed<'a, T> {
    scope_in(world, ctx, Frame::new(above, FrameKind::Scope), inner)
}

fn scope_in<'a, T: 'a>(
    world: &'a World,
    ctx: Rc<Ctx>,
    frame: Rc<Frame>,
    inner: impl FnOnce(Place) -> Boxed<'a, T>,
) -> Boxed<'a, T> {
    let place = Place { ctx, knows: Rc::default(), frame };
    let mut inner = inner(place.clone());
    Box::pin(poll_fn(move |cx| {
        loop {
            let ended = place.ended(world);
            place.knows.set(ended);
            let polled = inner.as_mut().poll(cx);
            // Where it ends during the poll, it is polled once more.
            if polled.is_ready() || ended || !place.ended(world) {
                return polled;
            }
        }
    }))
}

/// What becomes of a leaf that gives no value of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The context had ended before it began: it was never polled.
    Refused,
    /// It was pending after a poll that knew of the end: it was dropped.
    GivenUp,
}

/// The await of `awaited` in a function that can say `Cancelled`.
pub(crate) async fn leaf<T>(
    world: &World,
    place: &Place,
    exempt: bool,
    mut awaited: Boxed<'_, T>,
) -> Result<T, End> {
    if !exempt && place.refuses(world) {
        return Err(End::Refused);
    }
    poll_fn(|cx| match awaited.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending if place.knows() && !place.may_go_on(world) => Poll::Ready(Err(End::GivenUp)),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// `ctx.run(..)`: a scope around one leaf.
pub(crate) fn run<'a>(
    world: &'a World,
    ctx: Rc<Ctx>,
    above: Option<&Rc<Frame>>,
    inner: impl FnOnce(Place) -> Boxed<'a, Value> + 'a,
) -> Boxed<'a, Value> {
    scope(world, ctx, above, |place| run_leaf(world, place, inner))
}

fn run_leaf<'a>(
    world: &'a World,
    place: Place,
    inner: impl FnOnce(Place) -> Boxed<'a, Value> + 'a,
) -> Boxed<'a, Value> {
    Box::pin(async move {
        let awaited = inner(place.clone());
        leaf(world, &place, false, awaited).await.unwrap_or(Err(Failure::Cancelled))
    })
}

/// A shield that was made: its limit counts from then.
pub(crate) struct Shielded<'a> {
    work: Boxed<'a, Value>,
    frame: Rc<Frame>,
    active: Rc<Active>,
    seen: bool,
}

impl<'a> Shielded<'a> {
    pub(crate) fn new(
        world: &'a World,
        limit: u32,
        work: impl FnOnce(Place) -> Boxed<'a, Value> + 'a,
    ) -> Self {
        let (limit, frame) = (world.after(limit), Frame::new(None, FrameKind::Shield));
        let inner = |place| run_leaf(world, place, work);
        let work = scope_in(world, Ctx::child(None, limit), Rc::clone(&frame), inner);
        Shielded {
            work,
            frame,
            active: Rc::new(Active { over: Cell::new(false), limit }),
            seen: false,
        }
    }

    /// Polls it in a frame, which it holds from its first pending poll on.
    pub(crate) fn poll_in(&mut self, frame: &Rc<Frame>, cx: &mut Context<'_>) -> Poll<Value> {
        *self.frame.above.borrow_mut() = Some(Rc::clone(frame));
        let polled = self.work.as_mut().poll(cx);
        self.active.over.set(polled.is_ready());
        if polled.is_pending() && !std::mem::replace(&mut self.seen, true) {
            frame.hold(&self.active);
        }
        polled
    }
}

impl Drop for Shielded<'_> {
    fn drop(&mut self) {
        self.active.over.set(true);
    }
}
