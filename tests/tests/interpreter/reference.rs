//! Runs a program by the rules: what functions, statements and awaited things do (`rules.rs`, `rules_joined.rs`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use super::events::{Event, Log, Notes};
use super::program::{
    self, Body, Cursor, Failure, Function, Given, How, Joined, Kind, Program, Scoped, Statement,
    Thing, Under, Value,
};
use super::rules::{self, Boxed, Ctx, End, Place, Shielded, World};
use super::rules_joined::{Branches, Make};

/// So many refused leaves of one call are given as values; the next one returns.
const GIVEN: usize = 8;

const TICK: u32 = 4;

pub(crate) fn run(program: &Program) -> Log {
    let (now, cancelled) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let clock = Arc::clone(&now);
    let at_event = match program.end {
        program::End::AtEvent(n) => {
            let cancelled = Arc::clone(&cancelled);
            Some((
                n,
                Box::new(move || cancelled.store(true, Relaxed)) as Box<dyn Fn() + Send + Sync>,
            ))
        }
        _ => None,
    };
    let notes = Notes::new(move || clock.load(Relaxed), at_event);
    let world = World { now, times: RefCell::new(BTreeSet::new()), notes: notes.clone() };
    let deadline = match program.end {
        program::End::Deadline(at) => Some(world.after(at)),
        _ => None,
    };
    let cancel_at = match program.end {
        program::End::At(at) => Some(world.after(at)),
        _ => None,
    };
    let ctx = Rc::new(Ctx { parent: None, cancelled: Arc::clone(&cancelled), deadline });
    let main = |place| call(&world, &program.main, place);
    let mut running = match program.under {
        Under::Scope => rules::scope(&world, ctx, None, main),
        Under::Run => rules::run(&world, ctx, None, main),
    };
    let over = loop {
        if cancel_at.is_some_and(|at| at <= world.now()) {
            cancelled.store(true, Relaxed);
        }
        if let Poll::Ready(value) = running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            break Event::Over(value);
        }
        match world.times.borrow_mut().pop_first() {
            Some(next) => world.now.store(next, Relaxed),
            None => break Event::Hangs,
        }
    };
    drop(running);
    notes.note(over);
    notes.taken()
}

fn call<'a>(world: &'a World, function: &'a Function, place: Place) -> Boxed<'a, Value> {
    match &function.body {
        // A function of its own around the join, which is called first.
        Body::Joined(joined) => Box::pin(async move {
            let join = around_a_join(world, function.says, joined, place.clone());
            called(world, function.says, Box::pin(join), &place).await
        }),
        Body::Statements(statements) => Box::pin(body(world, function.says, statements, place)),
    }
}

async fn body<'a>(
    world: &'a World,
    says: bool,
    statements: &'a [Statement],
    place: Place,
) -> Value {
    let mut given = 0;
    let all = RefCell::new(Vec::new());
    let mut at = Cursor::new(statements);
    while let Some(statement) = at.next() {
        match statement {
            Statement::Loop(..) => unreachable!("the cursor goes into loops"),
            Statement::Fail => return Err(Failure::Own),
            Statement::Fill(shields) => {
                let made = shields.iter().map(|shield| shielded(world, shield));
                all.borrow_mut().extend(made);
            }
            Statement::Await(id, thing, then) => {
                let refused = says && place.refuses(world);
                let value = if let Thing::Drain(Given::Beside(function)) = thing {
                    let drain = |place| -> Boxed<'_, Value> { Box::pin(drain(world, place, &all)) };
                    let call = |place| call(world, function, place);
                    let branches: [Make<'_>; 2] = [Box::new(drain), Box::new(call)];
                    let values = Branches::new(world, &place, says, branches).join(false).await;
                    let value = |value: &Option<Value>| value.unwrap_or(Err(Failure::Cancelled));
                    let value = values.iter().map(value).fold(Ok(()), Value::and);
                    if refused {
                        if given == GIVEN {
                            return Err(Failure::Cancelled);
                        }
                        given += 1;
                    }
                    value
                } else if !says {
                    start(world, thing, &place, &all).await
                } else {
                    let awaited = start(world, thing, &place, &all);
                    match rules::leaf(world, &place, thing.is_shield(), awaited).await {
                        Ok(value) => value,
                        // It leaves the function either way.
                        Err(_) if then.asks() => return Err(Failure::Cancelled),
                        Err(_) if !thing.says() => return Err(Failure::Cancelled),
                        Err(End::Refused) if given == GIVEN => return Err(Failure::Cancelled),
                        Err(end) => {
                            given += usize::from(end == End::Refused);
                            Err(Failure::Cancelled)
                        }
                    }
                };
                if then.asks() {
                    value?;
                }
                world.notes.gave(*id, value);
                at.then(value, then);
            }
        }
    }
    Ok(())
}

type All<'a> = RefCell<Vec<Shielded<'a>>>;

/// The future of what is awaited.
fn start<'a: 'b, 'b>(
    world: &'a World,
    thing: &'a Thing,
    place: &'b Place,
    all: &'b All<'a>,
) -> Boxed<'b, Value> {
    match thing {
        Thing::Next => Box::pin(async move { next(place, all).await.unwrap_or(Ok(())) }),
        Thing::Drain(given) => {
            let (ctx, frame) = (Rc::clone(&place.ctx), Some(&place.frame));
            let drain_in = |place| -> Boxed<'b, Value> { Box::pin(drain(world, place, all)) };
            match given {
                Given::Reference => drain_in(place.clone()),
                Given::Value => {
                    let all = RefCell::new(all.take());
                    Box::pin(async move { drain(world, place.clone(), &all).await })
                }
                Given::Scope | Given::Block => rules::scope(world, ctx, frame, drain_in),
                Given::Run => rules::run(world, ctx, frame, drain_in),
                Given::Beside(_) => unreachable!("a join is made where it is awaited"),
            }
        }
        _ => start_free(world, thing, place.clone()),
    }
}

/// The same, of what uses no variable of the function.
fn start_free<'a>(world: &'a World, thing: &'a Thing, place: Place) -> Boxed<'a, Value> {
    match thing {
        Thing::Sleep(sleep) => Box::pin(Sleep { world, sleep, until: None }),
        Thing::Call(function) => call(world, function, place),
        Thing::Block(things) => {
            rules::scope(world, Rc::clone(&place.ctx), Some(&place.frame), |place| {
                Box::pin(async move {
                    for thing in things {
                        start_free(world, thing, place.clone()).await?;
                    }
                    Ok(())
                })
            })
        }
        Thing::Shield(shield) => {
            let mut shielded = shielded(world, shield);
            Box::pin(poll_fn(move |cx| shielded.poll_in(&place.frame, cx)))
        }
        Thing::Scoped(Scoped { how, budget, function }) => {
            let ctx = Ctx::child(Some(&place.ctx), world.after(*budget));
            let inner = |place| call(world, function, place);
            match how {
                How::Run => rules::run(world, ctx, Some(&place.frame), inner),
                // A function whose only leaf is the call.
                How::Named if function.says => rules::run(world, ctx, Some(&place.frame), inner),
                _ => rules::scope(world, ctx, Some(&place.frame), inner),
            }
        }
        Thing::Next | Thing::Drain(_) => unreachable!("only in statements"),
    }
}

fn shielded<'a>(world: &'a World, shield: &'a program::Shield) -> Shielded<'a> {
    Shielded::new(world, shield.limit, |place| call(world, &shield.work, place))
}

/// The first shield that is ready; those behind it are not polled.
async fn next(place: &Place, all: &All<'_>) -> Option<Value> {
    poll_fn(|cx| {
        let mut all = all.borrow_mut();
        if all.is_empty() {
            return Poll::Ready(None);
        }
        for n in 0..all.len() {
            if let Poll::Ready(value) = all[n].poll_in(&place.frame, cx) {
                all.remove(n);
                return Poll::Ready(Some(value));
            }
        }
        Poll::Pending
    })
    .await
}

/// `while let Some(_) = all.next().await {}`, in a function that can say `Cancelled`.
async fn drain(world: &World, place: Place, all: &All<'_>) -> Value {
    loop {
        let next = Box::pin(next(&place, all));
        match rules::leaf(world, &place, false, next).await {
            Err(_) => return Err(Failure::Cancelled),
            Ok(None) => return Ok(()),
            Ok(Some(_)) => {}
        }
    }
}

/// A function that joins its branches and then calls what is `after`.
async fn around_a_join<'a>(
    world: &'a World,
    says: bool,
    joined: &'a Joined,
    place: Place,
) -> Value {
    let cancelled = Err(Failure::Cancelled);
    // Its value is not looked at.
    let _ = called_function(world, says, &joined.before, &place).await;
    let make = joined
        .branches
        .iter()
        .map(|thing| Box::new(move |place| start_free(world, thing, place)) as Make<'a>);
    let branches = Branches::new(world, &place, says, make);
    // What the macro itself gives: none where the function returns instead.
    let value = match joined.kind {
        Kind::Join => {
            let exempt = joined.branches.iter().all(Thing::is_shield);
            let values = branches.join(exempt).await;
            let mut all = joined.branches.iter().zip(&values);
            if all.any(|(thing, value)| value.is_none() && !thing.says()) {
                return cancelled;
            }
            for (n, value) in values.into_iter().enumerate() {
                world.notes.note(Event::Gave(joined.id, n as u8, value.unwrap_or(cancelled)));
            }
            Some(Ok(()))
        }
        Kind::TryJoin => {
            let says = joined.branches.iter().all(Thing::says);
            branches.try_join().await.or(says.then_some(cancelled))
        }
        Kind::Select => match branches.select().await {
            Some((n, value)) => {
                world.notes.note(Event::Gave(joined.id, n as u8, value));
                Some(called_function(world, says, &joined.handlers[n], &place).await)
            }
            None => Some(cancelled),
        },
        Kind::SelectUnit => match branches.select().await {
            Some((n, value)) => {
                world.notes.note(Event::Gave(joined.id, n as u8, value));
                called_function(world, says, &joined.handlers[n], &place).await?;
                Some(Ok(()))
            }
            None => None,
        },
    };
    let Some(value) = value else { return cancelled };
    world.notes.gave(joined.id, value);
    called_function(world, says, &joined.after, &place).await
}

/// What the await of a call gives, in a function that can say `Cancelled` or in one that cannot.
async fn called_function(world: &World, says: bool, function: &Function, place: &Place) -> Value {
    called(world, says, call(world, function, place.clone()), place).await
}

async fn called(world: &World, says: bool, call: Boxed<'_, Value>, place: &Place) -> Value {
    match says {
        true => rules::leaf(world, place, false, call).await.unwrap_or(Err(Failure::Cancelled)),
        false => call.await,
    }
}

/// A foreign future.
struct Sleep<'a> {
    world: &'a World,
    sleep: &'a program::Sleep,
    until: Option<u32>,
}

impl Future for Sleep<'_> {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Value> {
        let (world, sleep) = (self.world, self.sleep);
        let until = *self.until.get_or_insert_with(|| {
            world.notes.note(Event::Began(sleep.id));
            world.after(sleep.ticks * TICK)
        });
        if world.now() < until {
            return Poll::Pending;
        }
        self.until = Some(u32::MAX);
        world.notes.note(Event::Completed(sleep.id));
        Poll::Ready(if sleep.fails { Err(Failure::Own) } else { Ok(()) })
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if self.until.is_some_and(|until| until != u32::MAX) {
            self.world.notes.note(Event::Dropped(self.sleep.id));
        }
    }
}
