//! Which return types can say `Cancelled`: found by type, not by name.

use std::fmt;
use std::future::pending;
// In the prelude since edition 2024; this file is compiled in 2021 too.
#[allow(unused_imports)]
use std::future::Future;
use std::io;

use ctxprop::{Background, Cancelled, Ctx, NeedsCtx, propagate};
use futures::FutureExt;

/// What the function gives under a context that has ended: a function that unwinds returns at its first await, and one
/// that is carried waits for what it awaits.
fn under_an_ended_context<T>(call: NeedsCtx<impl Future<Output = T>>) -> Option<T> {
    let (ctx, canceller) = Ctx::background().with_cancel();
    canceller.cancel();
    call.with(&ctx).now_or_never()
}

/// Asserts that each call unwinds, with the error that the test looks at.
macro_rules! unwinds {
    ($($call:expr => $error:pat,)*) => {$(
        match under_an_ended_context($call) {
            Some(Err($error)) => {}
            #[allow(unreachable_patterns)]
            Some(Err(_)) => panic!("another error of {}", stringify!($call)),
            Some(Ok(_)) => panic!("{} went on", stringify!($call)),
            None => panic!("{} waits", stringify!($call)),
        }
    )*};
}

macro_rules! threads {
    ($($call:expr;)*) => {$(
        assert!(under_an_ended_context($call).is_none(), "{} unwinds", stringify!($call));
    )*};
}

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("the caller left")]
    Cancelled(#[from] Cancelled),
    #[error("another")]
    Other(#[from] sqlx::Error),
}

/// As the crate of that name has it: nothing of ours.
mod sqlx {
    #[derive(Debug, thiserror::Error)]
    #[error("of the database")]
    pub(super) struct Error;
}

type AppResult<T, E = AppError> = Result<T, E>;
type DbResult<T> = Result<T, sqlx::Error>;
type Nothing = AppResult<()>;
type Boxed<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Written by hand.
#[derive(Debug)]
struct ByHand(#[allow(dead_code)] Cancelled);

impl From<Cancelled> for ByHand {
    fn from(cancelled: Cancelled) -> Self {
        ByHand(cancelled)
    }
}

macro_rules! waiting {
    ($($(#[$args:meta])* $name:ident $([$($generics:tt)*])? -> $ty:ty $(where [$($bounds:tt)*])?;)*) => {$(
        $(#[$args])*
        async fn $name $(<$($generics)*>)? () -> $ty $(where $($bounds)*)? {
            pending().await
        }
    )*};
}

waiting! {
    #[propagate]
    alias -> AppResult<u32>;
    #[propagate]
    alias_without_parameters -> Nothing;
    #[propagate]
    alias_with_another_error -> AppResult<u32, io::Error>;
    #[propagate]
    by_path -> std::result::Result<u32, Cancelled>;
    #[propagate]
    by_hand -> Result<u32, ByHand>;
    #[propagate]
    anyhow -> anyhow::Result<u32>;
    #[propagate]
    boxed_error -> Boxed<u32>;
    #[propagate(boxed)]
    boxed -> AppResult<u32>;
    #[propagate(unwind)]
    demanded -> AppResult<u32>;
    #[propagate]
    status -> Result<u32, http::StatusCode>;
    #[propagate]
    status_and_text -> Result<u32, (http::StatusCode, String)>;
    #[propagate]
    generic[T, E: From<Cancelled>] -> Result<T, E>;
    #[propagate]
    generic_with_where[T, E] -> Result<T, E> where [E: fmt::Debug + From<Cancelled>];
    #[propagate]
    generic_value[T] -> AppResult<Vec<T>>;

    #[propagate]
    unit -> ();
    #[propagate]
    option -> Option<u32>;
    #[propagate]
    foreign -> Result<u32, sqlx::Error>;
    #[propagate]
    foreign_alias -> DbResult<u32>;
    #[propagate]
    generic_without_bound[T, E] -> Result<T, E>;
    #[propagate]
    nested -> Option<Result<u32, Cancelled>>;
}

#[propagate]
async fn opaque() -> impl fmt::Debug {
    pending::<()>().await;
    1
}

#[propagate]
async fn opaque_value() -> AppResult<impl fmt::Debug> {
    pending::<()>().await;
    Ok(1)
}

/// It asks something of its parameter.
#[derive(Debug)]
struct Lines<S: Iterator<Item = u32>, T = ()>(S, T);

#[propagate]
async fn opaque_within() -> AppResult<Lines<impl Iterator<Item = u32>>> {
    pending::<()>().await;
    Ok(Lines([1].into_iter(), ()))
}

#[propagate(unwind)]
async fn opaque_in_several() -> AppResult<(Lines<impl Iterator<Item = u32>, impl fmt::Debug>, u8)> {
    pending::<()>().await;
    Ok((Lines([1].into_iter(), 1), 1))
}

#[propagate]
#[tracing::instrument]
async fn opaque_in_a_span() -> AppResult<Lines<impl Iterator<Item = u32>>> {
    pending::<()>().await;
    Ok(Lines([1].into_iter(), ()))
}

#[propagate]
async fn opaque_of_its_context(_ctx: &Ctx) -> AppResult<Lines<impl Iterator<Item = u32>>> {
    pending::<()>().await;
    Ok(Lines([1].into_iter(), ()))
}

#[propagate]
async fn opaque_without_a_result() -> Lines<impl Iterator<Item = u32>> {
    pending::<()>().await;
    Lines([1].into_iter(), ())
}

#[propagate]
async fn opaque_of_another() -> DbResult<Lines<impl Iterator<Item = u32>>> {
    pending::<()>().await;
    Ok(Lines([1].into_iter(), ()))
}

struct Of<E>(E);

impl<E: From<Cancelled>> Of<E> {
    #[propagate]
    async fn method(&self) -> Result<u32, E> {
        let _ = &self.0;
        pending().await
    }
}

#[propagate]
trait Loads {
    type Error: From<Cancelled> + Send;

    async fn load(&self) -> Result<u32, Self::Error>;
}

#[propagate]
impl Loads for Of<u8> {
    type Error = AppError;

    async fn load(&self) -> Result<u32, Self::Error> {
        pending().await
    }
}

#[test]
fn what_can_say_cancelled_unwinds() {
    unwinds! {
        alias() => AppError::Cancelled(_),
        alias_without_parameters() => AppError::Cancelled(_),
        alias_with_another_error() => _,
        by_path() => _,
        by_hand() => ByHand(_),
        anyhow() => _,
        boxed_error() => _,
        boxed() => AppError::Cancelled(_),
        demanded() => AppError::Cancelled(_),
        status() => _,
        status_and_text() => _,
        generic::<u8, AppError>() => AppError::Cancelled(_),
        generic_with_where::<u8, ByHand>() => ByHand(_),
        generic_value::<u8>() => AppError::Cancelled(_),
        opaque_value() => AppError::Cancelled(_),
        opaque_within() => AppError::Cancelled(_),
        opaque_in_several() => AppError::Cancelled(_),
        opaque_in_a_span() => AppError::Cancelled(_),
        Of(ByHand(cancelled())).method() => ByHand(_),
        Of(1).load() => AppError::Cancelled(_),
    }
}

#[test]
fn what_is_opaque_unwinds_with_its_context_named() {
    let (ctx, canceller) = Ctx::background().with_cancel();
    canceller.cancel();
    let end = opaque_of_its_context(&ctx).now_or_never();
    assert!(matches!(end, Some(Err(AppError::Cancelled(_)))));
}

fn cancelled() -> Cancelled {
    let (ctx, canceller) = Ctx::background().with_cancel();
    canceller.cancel();
    ctx.check().unwrap_err()
}

#[test]
fn what_cannot_is_carried() {
    threads! {
        unit();
        option();
        foreign();
        foreign_alias();
        generic_without_bound::<u8, AppError>();
        nested();
        opaque();
        opaque_without_a_result();
        opaque_of_another();
    }
}

/// The error is the one of the context, whatever it was made into.
#[test]
fn the_cause_is_kept() {
    let Some(Err(error)) = under_an_ended_context(anyhow()) else { panic!("it waits") };
    assert!(error.downcast_ref::<Cancelled>().is_some());
    let Some(Err(error)) = under_an_ended_context(boxed_error()) else { panic!("it waits") };
    assert!(error.is::<Cancelled>());
    let Some(Err((status, _))) = under_an_ended_context(status_and_text()) else {
        panic!("it waits")
    };
    assert_eq!(status, cancelled().http_status());
}

/// A function that is carried is dropped where its caller unwinds.
#[tokio::test]
async fn a_foreign_error_is_dropped_at_the_leaf_above() {
    #[propagate]
    async fn caller() -> AppResult<u32> {
        Ok(foreign().await?)
    }
    let (ctx, canceller) = Ctx::background().with_cancel();
    let mut call = std::pin::pin!(caller().with(&ctx));
    assert!(futures::poll!(call.as_mut()).is_pending());
    canceller.cancel();
    assert!(matches!(call.await, Err(AppError::Cancelled(_))));
}
