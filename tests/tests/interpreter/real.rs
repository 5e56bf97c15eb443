//! Runs a program for real: each kind of statement is a real await in a `#[propagate]` function, under tokio's paused
//! clock. Functions around a join are in `real_joined.rs`.

use std::future::{Future, IntoFuture, poll_fn};
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use ctxprop::{Background, Cancelled, Ctx, propagate};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::events::{Event, Log, Notes};
use super::program::{
    self, Body, Cursor, End, Failure, Function, Given, How, Program, Scoped, Statement, Thing,
    Under, Value,
};
use super::real_joined::{joined_mute, joined_says};

const TICK: Duration = Duration::from_millis(4);

/// Nothing in a program takes so long.
const FOREVER: Duration = Duration::from_secs(1_000);

/// An error that can be made of `Cancelled`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Error(pub(crate) Failure);

/// One that cannot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign(pub(crate) Failure);

impl From<Cancelled> for Error {
    fn from(_: Cancelled) -> Error {
        Error(Failure::Cancelled)
    }
}

impl From<Foreign> for Error {
    fn from(foreign: Foreign) -> Error {
        Error(foreign.0)
    }
}

impl From<Error> for Foreign {
    fn from(error: Error) -> Foreign {
        Foreign(error.0)
    }
}

/// What a value is in the words of the log.
pub(crate) trait Said {
    fn said(self) -> Value;
}

impl Said for Result<(), Error> {
    fn said(self) -> Value {
        self.map_err(|error| error.0)
    }
}

impl Said for Result<(), Foreign> {
    fn said(self) -> Value {
        self.map_err(|foreign| foreign.0)
    }
}

impl<T: Said> Said for Result<T, Cancelled> {
    fn said(self) -> Value {
        self.map_or(Err(Failure::Cancelled), T::said)
    }
}

pub(crate) const fn ms(millis: u32) -> Duration {
    Duration::from_millis(millis as u64)
}

pub(crate) fn run(runtime: &Runtime, program: &Program) -> Log {
    runtime.block_on(tokio::task::unconstrained(async {
        let start = Instant::now();
        let (ctx, canceller) = Ctx::background().with_cancel();
        let ctx = match program.end {
            End::Deadline(at) => ctx.with_timeout(ms(at)),
            _ => ctx,
        };
        let at_event = match program.end {
            End::AtEvent(n) => {
                let canceller = canceller.clone();
                Some((n, Box::new(move || canceller.cancel()) as Box<dyn Fn() + Send + Sync>))
            }
            _ => None,
        };
        let notes = Notes::new(move || start.elapsed().as_millis() as u32, at_event);
        let mut end = pin!(async {
            match program.end {
                End::At(at) => tokio::time::sleep(ms(at)).await,
                _ => std::future::pending().await,
            }
        });
        let mut ended = false;
        let running = async {
            match program.under {
                Under::Scope => says(&notes, &program.main).with(&ctx).await.said(),
                Under::Run => ctx.run(says(&notes, &program.main)).await.said(),
            }
        };
        let over = {
            let mut running = pin!(running);
            let until_over = poll_fn(|cx| {
                // Before what it ends is polled.
                if !ended && end.as_mut().poll(cx).is_ready() {
                    ended = true;
                    canceller.cancel();
                }
                running.as_mut().poll(cx)
            });
            match tokio::time::timeout(FOREVER, until_over).await {
                Ok(value) => Event::Over(value),
                Err(_) => Event::Hangs,
            }
        };
        notes.note(over);
        notes.taken()
    }))
}

/// Foreign; it can say `Cancelled` where its error can.
pub(crate) struct Sleep<'a, E> {
    notes: &'a Notes,
    sleep: &'a program::Sleep,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    runs: bool,
    error: fn(Failure) -> E,
}

pub(crate) fn sleep<'a, E>(
    notes: &'a Notes,
    thing: &'a Thing,
    error: fn(Failure) -> E,
) -> Sleep<'a, E> {
    let Thing::Sleep(sleep) = thing else { unreachable!("a foreign future is a sleep") };
    Sleep { notes, sleep, timer: None, runs: false, error }
}

impl<E> Future for Sleep<'_, E> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (notes, sleep) = (self.notes, self.sleep);
        if !std::mem::replace(&mut self.runs, true) {
            notes.note(Event::Began(sleep.id));
        }
        if sleep.ticks > 0 {
            let timer = || Box::pin(tokio::time::sleep(TICK * sleep.ticks));
            ready!(self.timer.get_or_insert_with(timer).as_mut().poll(cx));
        }
        self.runs = false;
        notes.note(Event::Completed(sleep.id));
        Poll::Ready(if sleep.fails { Err((self.error)(Failure::Own)) } else { Ok(()) })
    }
}

impl<E> Drop for Sleep<'_, E> {
    fn drop(&mut self) {
        if self.runs {
            self.notes.note(Event::Dropped(self.sleep.id));
        }
    }
}

/// The shields that a function has in a variable. As in a `FuturesUnordered`, each has a waker of its own, and is polled
/// only if it was woken; but in order, and those behind one that is ready wait for the next call.
#[derive(Default)]
pub(crate) struct All<'a>(Vec<(Shielding<'a>, Arc<Woken>)>);

type Shielding<'a> = Pin<Box<dyn Future<Output = Value> + Send + 'a>>;

struct Woken {
    woken: AtomicBool,
    parent: Mutex<Waker>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, SeqCst);
        self.parent.lock().unwrap().wake_by_ref();
    }
}

impl<'a> All<'a> {
    fn fill(&mut self, notes: &'a Notes, shields: &'a [program::Shield]) {
        for shield in shields {
            let shield = Ctx::current().shield(ms(shield.limit), says(notes, &shield.work));
            let shield = shield.into_future();
            let woken = Woken { woken: true.into(), parent: Mutex::new(Waker::noop().clone()) };
            self.0.push((Box::pin(async { shield.await.said() }), Arc::new(woken)));
        }
    }

    async fn next(&mut self) -> Option<Value> {
        poll_fn(|cx| {
            for n in 0..self.0.len() {
                let (shield, woken) = &mut self.0[n];
                *woken.parent.lock().unwrap() = cx.waker().clone();
                if !woken.woken.swap(false, SeqCst) {
                    continue;
                }
                let waker = Waker::from(Arc::clone(woken));
                if let Poll::Ready(value) = shield.as_mut().poll(&mut Context::from_waker(&waker)) {
                    drop(self.0.remove(n));
                    return Poll::Ready(Some(value));
                }
            }
            if self.0.is_empty() { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }
}

#[propagate(boxed)]
async fn drain(all: &mut All<'_>) -> Result<(), Error> {
    while all.next().await.is_some() {}
    Ok(())
}

#[propagate(boxed)]
async fn drain_value(mut all: All<'_>) -> Result<(), Error> {
    while all.next().await.is_some() {}
    Ok(())
}

/// A function that names its context.
#[propagate(boxed)]
async fn named_says(ctx: Ctx, notes: &Notes, function: &Function) -> Result<(), Error> {
    says(notes, function).await
}

#[propagate(boxed)]
async fn named_mute(ctx: Ctx, notes: &Notes, function: &Function) -> Result<(), Foreign> {
    mute(notes, function).await
}

/// The function that runs the statements of a function; `$ended` is how it takes an error that is `Cancelled` itself.
macro_rules! function {
    ($name:ident, $joined:ident, $Error:ident, [$($ended:tt)*]) => {
        #[propagate(boxed)]
        pub(crate) async fn $name(notes: &Notes, function: &Function) -> Result<(), $Error> {
            let statements = match &function.body {
                Body::Joined(joined) => return $joined(notes, joined).await,
                Body::Statements(statements) => statements,
            };
            let mut all = All::default();
            let mut at = Cursor::new(statements);
            while let Some(statement) = at.next() {
                let (id, thing, then) = match statement {
                    Statement::Loop(..) => unreachable!("the cursor goes into loops"),
                    Statement::Fail => return Err($Error(Failure::Own)),
                    Statement::Fill(shields) => {
                        all.fill(notes, shields);
                        continue;
                    }
                    Statement::Await(id, thing, then) => (*id, thing, then),
                };
                let ctx = match thing {
                    Thing::Scoped(scoped) => Ctx::current().with_timeout(ms(scoped.budget)),
                    _ => Ctx::current(),
                };
                let value = match (thing, then.asks()) {
                    (Thing::Sleep(s), false) if s.says => sleep(notes, thing, Error).await.said(),
                    (Thing::Sleep(s), true) if s.says => Ok(sleep(notes, thing, Error).await?),
                    (Thing::Sleep(_), false) => sleep(notes, thing, Foreign).await.said(),
                    (Thing::Sleep(_), true) => Ok(sleep(notes, thing, Foreign).await?),
                    (Thing::Call(f), false) if f.says => says(notes, f).await.said(),
                    (Thing::Call(f), true) if f.says => Ok(says(notes, f).await?),
                    (Thing::Call(f), false) => mute(notes, f).await.said(),
                    (Thing::Call(f), true) => Ok(mute(notes, f).await?),
                    (Thing::Shield(s), false) => {
                        ctx.shield(ms(s.limit), says(notes, &s.work)).await.said()
                    }
                    (Thing::Shield(s), true) => {
                        Ok(ctx.shield(ms(s.limit), says(notes, &s.work)).await $($ended)* ?)
                    }
                    (Thing::Block(things), asks) => {
                        let block = async {
                            for thing in things {
                                match thing {
                                    Thing::Sleep(s) if s.says => sleep(notes, thing, Error).await?,
                                    Thing::Sleep(_) => sleep(notes, thing, Foreign).await?,
                                    Thing::Call(f) if f.says => says(notes, f).await?,
                                    Thing::Call(f) => mute(notes, f).await?,
                                    _ => unreachable!("not in a block"),
                                }
                            }
                            Ok::<(), Error>(())
                        };
                        if asks { Ok(block.await?) } else { block.await.said() }
                    }
                    (Thing::Scoped(Scoped { how, function: f, .. }), asks) => {
                        match (how, f.says, asks) {
                            (How::With, true, false) => says(notes, f).with(&ctx).await.said(),
                            (How::With, true, true) => Ok(says(notes, f).with(&ctx).await?),
                            (How::With, false, false) => mute(notes, f).with(&ctx).await.said(),
                            (How::With, false, true) => Ok(mute(notes, f).with(&ctx).await?),
                            (How::Scope, true, false) => ctx.scope(says(notes, f)).await.said(),
                            (How::Scope, true, true) => Ok(ctx.scope(says(notes, f)).await?),
                            (How::Scope, false, false) => ctx.scope(mute(notes, f)).await.said(),
                            (How::Scope, false, true) => Ok(ctx.scope(mute(notes, f)).await?),
                            (How::Run, true, false) => ctx.run(says(notes, f)).await.said(),
                            (How::Run, true, true) => Ok(ctx.run(says(notes, f)).await $($ended)* ?),
                            (How::Run, false, false) => ctx.run(mute(notes, f)).await.said(),
                            (How::Run, false, true) => Ok(ctx.run(mute(notes, f)).await $($ended)* ?),
                            (How::Named, true, false) => named_says(ctx, notes, f).await.said(),
                            (How::Named, true, true) => Ok(named_says(ctx, notes, f).await?),
                            (How::Named, false, false) => named_mute(ctx, notes, f).await.said(),
                            (How::Named, false, true) => Ok(named_mute(ctx, notes, f).await?),
                        }
                    }
                    (Thing::Next, false) => all.next().await.unwrap_or(Ok(())),
                    (Thing::Next, true) => Ok(all.next().await.unwrap_or(Ok(())).map_err(Error)?),
                    (Thing::Drain(given), asks) => match (given, asks) {
                        (Given::Value, false) => drain_value(take(&mut all)).await.said(),
                        (Given::Value, true) => Ok(drain_value(take(&mut all)).await?),
                        (Given::Reference, false) => drain(&mut all).await.said(),
                        (Given::Reference, true) => Ok(drain(&mut all).await?),
                        (Given::Scope, false) => drain(&mut all).with(&ctx).await.said(),
                        (Given::Scope, true) => Ok(drain(&mut all).with(&ctx).await?),
                        (Given::Run, false) => ctx.run(drain(&mut all)).await.said(),
                        (Given::Run, true) => Ok(ctx.run(drain(&mut all)).await $($ended)* ?),
                        (Given::Block, asks) => {
                            let block = async { drain(&mut all).await };
                            if asks { Ok(block.await?) } else { block.await.said() }
                        }
                        (Given::Beside(f), asks) => {
                            let (one, two) = tokio::join!(biased; drain(&mut all), says(notes, f));
                            let both = one.said().and(two.said());
                            if asks { Ok(both.map_err(Error)?) } else { both }
                        }
                    },
                };
                notes.gave(id, value);
                at.then(value, then);
            }
            Ok(())
        }
    };
}

function!(says, joined_says, Error, [?]);
function!(mute, joined_mute, Foreign, [.map_err(Error::from)?]);
