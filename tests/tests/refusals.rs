//! What a leaf that was refused or given up makes of the function around it, and what is told of it (`docs/semantics.md`,
//! 3.2.10 to 3.2.13). In a process of its own: what is told once, is told once a process.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::{self, Debug};
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use ctxprop::{Awaitable, Background, Cancelled, Cause, Ctx, propagate};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the events of ctxprop as text.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ctxprop"
    }

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0.push_str(&format!("{field}={value:?} "));
            }
        }
        assert_eq!(*event.metadata().level(), Level::WARN);
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What `call` gives under a context that has ended, in its one poll, and what was told meanwhile.
fn after_the_end<T>(call: impl Awaitable<Output = T>) -> (T, Vec<String>) {
    let (ctx, canceller) = Ctx::background().with_cancel();
    canceller.cancel_with(Cause::Shutdown);
    let events = Events::default();
    let value = tracing::subscriber::with_default(events.clone(), || poll(&ctx, call));
    let told = events.0.lock().unwrap().clone();
    (value, told)
}

fn poll<T>(ctx: &Ctx, call: impl Awaitable<Output = T>) -> T {
    match pin!(ctx.scope(call)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits after the end"),
    }
}

#[propagate]
async fn tick() -> Result<(), Cancelled> {
    Ok(())
}

#[derive(Debug)]
struct Foreign;

#[propagate]
async fn foreign() -> Result<(), Foreign> {
    Ok(())
}

#[propagate]
async fn goes_on(reached: &AtomicUsize) -> Result<(), Cancelled> {
    let _ = foreign().await;
    reached.fetch_add(1, Relaxed);
    Ok(())
}

#[test]
fn rule_3_2_10_a_foreign_error_makes_the_function_return() {
    let reached = AtomicUsize::new(0);
    let (outcome, told) = after_the_end(goes_on(&reached));
    assert_eq!(outcome.unwrap_err().cause(), &Cause::Shutdown);
    assert_eq!((reached.into_inner(), told), (0, Vec::new()));
}

#[derive(Debug, PartialEq)]
enum Error {
    Direct(Cancelled),
    Inner(Inner),
}

#[derive(Debug, PartialEq)]
struct Inner(Cancelled);

impl From<Cancelled> for Inner {
    fn from(cancelled: Cancelled) -> Self {
        Inner(cancelled)
    }
}

impl From<Cancelled> for Error {
    fn from(cancelled: Cancelled) -> Self {
        Error::Direct(cancelled)
    }
}

impl From<Inner> for Error {
    fn from(inner: Inner) -> Self {
        Error::Inner(inner)
    }
}

#[propagate]
async fn asks(waits: bool) -> Result<(), Error> {
    if waits {
        pending::<Result<(), Inner>>().await?;
    }
    inner().await?;
    Ok(())
}

#[propagate]
async fn inner() -> Result<(), Inner> {
    pending().await
}

#[test]
fn rule_3_2_11_a_refused_leaf_before_a_question_mark_gives_the_functions_own_error() {
    let (refused, told) = after_the_end(asks(false));
    assert!(matches!(refused, Err(Error::Direct(_))), "{refused:?}");
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn rule_3_2_11_a_leaf_given_up_before_a_question_mark_does_too_and_a_value_is_a_value() {
    for waits in [true, false] {
        let (ctx, canceller) = Ctx::background().with_cancel();
        let mut call = pin!(ctx.scope(asks(waits)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
        canceller.cancel();
        let Poll::Ready(Err(error)) = call.as_mut().poll(&mut cx) else { panic!("it waits") };
        // `inner` unwinds by itself: what it gives is its own value, and goes by its own error.
        assert_eq!(matches!(error, Error::Direct(_)), waits, "{error:?}");
    }
}

#[propagate]
async fn ignores_calls(tries: &AtomicUsize) -> Result<(), Cancelled> {
    loop {
        tries.fetch_add(1, Relaxed);
        let _ = tick().await;
    }
}

#[propagate]
async fn ignores_joins(tries: &AtomicUsize) -> Result<(), Cancelled> {
    loop {
        tries.fetch_add(1, Relaxed);
        let (one, two) = tokio::join!(tick(), tick());
        assert!(one.is_err() && two.is_err());
    }
}

#[propagate]
async fn ignores_try_joins(tries: &AtomicUsize) -> Result<(), Cancelled> {
    loop {
        tries.fetch_add(1, Relaxed);
        let joined = tokio::try_join!(tick(), tick());
        assert!(joined.is_err());
    }
}

/// The text of the event that a loop is told by.
fn is_a_loop(told: &str) -> bool {
    told.contains("went on after the end") && told.contains("refusals.rs")
}

fn is_cleanup(told: &str) -> bool {
    told.contains("[unshielded-cleanup]") && told.contains("refusals.rs")
}

#[test]
fn rule_3_2_12_the_ninth_refused_leaf_returns_and_tells_so_each_time() {
    for n in 0..3 {
        let tries = AtomicUsize::new(0);
        let (outcome, told) = match n {
            0 => after_the_end(ignores_calls(&tries)),
            1 => after_the_end(ignores_joins(&tries)),
            _ => after_the_end(ignores_try_joins(&tries)),
        };
        assert_eq!(outcome.unwrap_err().cause(), &Cause::Shutdown);
        assert_eq!(tries.into_inner(), 9, "{n}");
        assert_eq!(told.iter().filter(|told| is_a_loop(told)).count(), 1, "{n}: {told:?}");
    }
    let (_, told) = after_the_end(ignores_calls(&AtomicUsize::new(0)));
    assert!(told.len() == 1 && is_a_loop(&told[0]), "{told:?}");
}

#[propagate]
async fn releases_without_a_shield(again: bool) -> Result<(), Cancelled> {
    let charged = tick().await;
    if charged.is_err() {
        let _ = tick().await; // the cleanup that does not run
        if again {
            let _ = tick().await;
        }
    }
    charged
}

#[test]
fn rule_3_2_13_cleanup_that_did_not_begin_is_told_once_for_each_place() {
    let (outcome, told) = after_the_end(releases_without_a_shield(false));
    assert!(outcome.is_err());
    let line = format!("refusals.rs:{}", line!() - 16);
    assert!(told.len() == 1 && is_cleanup(&told[0]) && told[0].contains(&line), "{line} {told:?}");
    for again in [false, true] {
        let (_, told) = after_the_end(releases_without_a_shield(again));
        assert!(told.is_empty(), "{told:?}");
    }
    // One refused leaf is an end like any other.
    assert!(after_the_end(ends_at_once()).1.is_empty());
}

#[propagate]
async fn ends_at_once() -> Result<(), Cancelled> {
    let ticked = tick().await;
    ticked.map_err(|error| {
        assert_eq!(fmt::format(format_args!("{error}")), "the process is shutting down");
        error
    })
}
