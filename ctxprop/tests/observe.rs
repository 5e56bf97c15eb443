//! What observers are told, and of which places.

#![cfg(all(feature = "observe", feature = "macros"))]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxprop::observe::{self, CtxId, Event, Id, ObservedKind, Observer, Outcome};
use ctxprop::run::request::Request;
use ctxprop::{Background, Cancelled, Cause, Ctx, propagate};
use tokio::task::yield_now;

const SECOND: Duration = Duration::from_secs(1);

/// What was told, in words. A place is what stands there.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

/// The word at a place of this file.
fn at(place: &Location<'_>) -> String {
    assert!(place.file().ends_with("observe.rs"), "{place}");
    let line = include_str!("observe.rs").lines().nth(place.line() as usize - 1).unwrap();
    let rest = &line[place.column() as usize - 1..];
    rest.chars().take_while(|c| c.is_alphanumeric() || "_!".contains(*c)).collect()
}

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Log {
    fn told(&self, event: &Event<'_>) {
        let text = match event {
            Event::Made(made) => {
                let name = observe::function(made.awaits).unwrap_or(made.awaits);
                let name = name.rsplit("::").next().unwrap();
                format!("{:?} {} of {name}", made.kind, at(made.place))
            }
            Event::PollEnds { outcome, .. } if *outcome != Outcome::Ready => format!("{outcome:?}"),
            Event::CtxMade { place, .. } => format!("context {}", at(place)),
            // Not what the crate itself ends: a task set that is dropped.
            Event::CtxCancelled { place, .. } if place.file().ends_with("observe.rs") => {
                format!("cancelled {}", at(place))
            }
            Event::CtxGone { .. } => "context gone".to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

/// Whether anybody observes is asked of the process, so a test beside this one would be told for.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn observed<R>(f: impl FnOnce() -> R) -> Vec<String> {
    let log = Arc::new(Log::default());
    let here = observe::here(Arc::clone(&log) as _);
    f();
    drop(here);
    log.take()
}

fn run<T>(f: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(f)
}

#[propagate]
async fn inner() -> Result<(), Cancelled> {
    yield_now().await;
    Ok(())
}

/// Binds the name of its context anew.
#[propagate]
async fn named(ctx: Ctx) -> Result<(), Cancelled> {
    inner().await?;
    let ctx = ctx.with_timeout(SECOND);
    inner().await
}

#[test]
fn an_await_is_told_with_its_place_and_its_function() {
    let _alone = alone();
    let told = observed(|| run(named(Ctx::background())).unwrap());
    let leaf = ["Leaf await of inner", "Leaf await of yield_now", "Pending", "Pending", "Pending"];
    let expected = [
        &["context Ctx", "Body named of named"],
        &leaf[..],
        &["context with_timeout"],
        &leaf,
        &["context gone", "context gone"],
    ];
    assert_eq!(told, expected.concat());
}

#[propagate]
async fn joins() -> Result<(), Cancelled> {
    let (a, b) = tokio::join!(inner(), inner());
    a.and(b)?;
    tokio::try_join!(inner())?;
    tokio::select! { done = inner() => done }
}

#[test]
fn the_parts_of_joins_are_told_at_their_own_places() {
    let _alone = alone();
    let told = observed(|| run(joins().with(&Ctx::background())).unwrap());
    let made: Vec<_> = told.iter().filter(|told| told.contains(" of ")).collect();
    let inner = "Leaf await of yield_now";
    let expected = [
        "Scope with of joins",
        "Part inner of inner",
        "Part inner of inner",
        "Leaf tokio of join!",
        inner,
        inner,
        "Part inner of inner",
        "Leaf tokio of try_join!",
        inner,
        "Await inner of inner",
        "Leaf tokio of select!",
        inner,
    ];
    assert_eq!(made, expected);
}

#[propagate]
async fn everything() -> Result<(), Cancelled> {
    let ctx = Ctx::current();
    async { yield_now().await }.await;
    ctx.shield(SECOND, inner()).await??;
    ctx.spawn(inner()).await??;
    ctx.defer(SECOND, async {}).disarm();
    ctx.run(inner()).await??;
    ctx.timeout(SECOND, inner()).await??;
    ctx.spawn_blocking(|_| ()).await?;
    let mut tasks = ctx.task_set();
    tasks.spawn(async {});
    tasks.join_next().await;
    cannot_say().await;
    Ok(())
}

#[propagate]
async fn cannot_say() {
    yield_now().await;
}

#[test]
fn scopes_tasks_and_shields_are_told_by_their_kinds() {
    let _alone = alone();
    let told = observed(|| run(everything().with(&Ctx::background())).unwrap());
    for expected in [
        "Await await of yield_now",
        "Shield shield of inner",
        "Task spawn of inner",
        "Deferred defer of everything",
        "Block async of everything",
        "Run run of inner",
        "Run timeout of inner",
        "context timeout",
        "Blocking spawn_blocking of everything",
        "context task_set",
        "Leaf await of cannot_say",
    ] {
        assert!(told.iter().any(|told| told == expected), "{expected} is not among {told:#?}");
    }
}

#[propagate]
async fn waits() -> Result<(), Cancelled> {
    inner().await?;
    std::future::pending().await
}

/// Ends a context as the third await is made, or as it is first pending.
struct Ends {
    canceller: ctxprop::Canceller,
    before: bool,
    made: Mutex<Vec<Id>>,
    outcomes: Mutex<Vec<Outcome>>,
}

impl Observer for Ends {
    fn told(&self, event: &Event<'_>) {
        match event {
            Event::Made(made) if made.kind == ObservedKind::Leaf => {
                let count = {
                    let mut all = self.made.lock().unwrap();
                    all.push(made.id);
                    all.len()
                };
                if self.before && count == 3 {
                    self.canceller.cancel();
                }
            }
            Event::PollEnds { id, outcome } => {
                let third = self.made.lock().unwrap().get(2).copied();
                if third == Some(*id) {
                    self.outcomes.lock().unwrap().push(*outcome);
                    if *outcome == Outcome::Pending {
                        self.canceller.cancel();
                    }
                }
            }
            _ => {}
        }
    }
}

#[test]
fn an_observer_may_end_the_context_before_an_await_and_during_it() {
    let _alone = alone();
    let all = [(true, vec![Outcome::Refused]), (false, vec![Outcome::Pending, Outcome::GivenUp])];
    for (before, expected) in all {
        let (ctx, canceller) = Ctx::background().with_cancel();
        let (made, outcomes) = (Mutex::default(), Mutex::default());
        let ends = Arc::new(Ends { canceller, before, made, outcomes });
        let here = observe::here(Arc::clone(&ends) as _);
        // The leaves are those of `waits`, of `inner`, and of `waits` again.
        assert!(run(waits().with(&ctx)).is_err());
        drop(here);
        assert_eq!(*ends.outcomes.lock().unwrap(), expected);
    }
}

#[test]
fn contexts_are_told_until_their_last_handle_is_gone() {
    let _alone = alone();
    let told = observed(|| {
        let root = Ctx::background();
        let (child, canceller) = root.with_cancel();
        let parent = observe::parent(&child).unwrap();
        assert_eq!(CtxId::of(&parent), CtxId::of(&root));
        assert_ne!(CtxId::of(&parent), CtxId::of(&child));
        assert_eq!(at(observe::place(&child)), "with_cancel");
        drop((root, parent));
        canceller.cancel();
        drop((canceller, child));
    });
    let gone = "context gone";
    let expected = ["context Ctx", "context with_cancel", "cancelled cancel", gone, gone];
    assert_eq!(told, expected);
}

#[test]
fn nobody_is_told_of_what_was_made_before_unless_it_is_polled() {
    let _alone = alone();
    let ctx = Ctx::background();
    let (mut early, unpolled) = (Box::pin(waits().with(&ctx)), waits().with(&ctx));
    let told = observed(|| {
        run(async {
            let _ = poll_once(early.as_mut());
        });
        drop(unpolled);
        drop(early);
    });
    let expected = ["Scope with of waits", "Leaf await of inner", "Leaf await of yield_now"];
    assert_eq!(told.iter().filter(|told| told.contains(" of ")).collect::<Vec<_>>(), expected);
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

/// What was told of requests.
#[derive(Default)]
struct Requests(Mutex<Vec<String>>);

impl Observer for Requests {
    fn told(&self, event: &Event<'_>) {
        let text = match event {
            Event::Made(made) if made.kind == ObservedKind::Request => format!("{:?}", made.name),
            Event::Gone { kind: ObservedKind::Request, .. } => "gone".to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

#[test]
fn a_request_is_told_by_name() {
    let _alone = alone();
    let ctx = Ctx::background();
    let log = Arc::new(Requests::default());
    let here = observe::here(Arc::clone(&log) as _);
    drop((Request::begins(&ctx, || "GET /".to_owned()), Request::none()));
    drop(here);
    assert_eq!(*log.0.lock().unwrap(), ["Some(\"GET /\")", "gone"]);
}

#[test]
fn who_ended_a_context_is_told_by_the_line_that_did_or_that_set_the_deadline() {
    let _alone = alone();
    let (ctx, canceller) = Ctx::background().with_cancel();
    let child = ctx.with_value(7).with_cancel().0;
    assert!(observe::end(&child).is_none() && !observe::has_ended(&child));
    let _here = observe::here(Arc::new(Log::default()));
    canceller.cancel_with(Cause::Shutdown);
    canceller.cancel();
    let end = observe::end(&child).unwrap();
    assert_eq!((end.cause, at(end.place.unwrap())), (Cause::Shutdown, "cancel_with".to_owned()));

    let late = ctx.detach("why").with_timeout(Duration::ZERO);
    let end = observe::end(&late.with_value(7)).unwrap();
    let place = at(end.place.unwrap());
    assert_eq!((end.cause, place), (Cause::DeadlineExceeded, "with_timeout".to_owned()));
    assert_eq!((observe::detached(&late), observe::detached(&ctx)), (Some("why"), None));
    assert_eq!(observe::granted(&late.detach("on").with_timeout(SECOND)), Some(SECOND));
}
