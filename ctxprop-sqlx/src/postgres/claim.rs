//! For whom a connection is held, and until when: the [`Claim`] of one use of one connection. And how the end of its
//! context becomes an error of sqlx's.
//!
//! # Invariants
//! 1. A claim is made before a connection is asked for: what comes too late takes none.
//! 2. `57014` becomes [`Cancelled`] only where it can be our own `statement_timeout` that passed, or the context has
//!    ended: an administrator's cancel and a shorter timeout of the user's stay what they are.

use std::io;

use ctxprop::{Cancelled, Cause, Ctx};
use futures_core::future::BoxFuture;

use super::options::Shared;
use super::sqlx::{Error, PgDatabaseError, PgSeverity};
use crate::budget::Timeout;
use crate::counters::Event;
use crate::tag::Tag;

/// The error code of a statement that was stopped, by its timeout or on request.
const QUERY_CANCELED: &str = "57014";

#[derive(Clone, Debug)]
pub(super) struct Claim {
    ctx: Option<Ctx>,
    tag: Option<Tag>,
    timeout: Option<Timeout>,
    /// Whether the server was told the tag.
    told: bool,
}

impl Claim {
    /// One for the context that is current, if one is.
    ///
    /// # Errors
    ///
    /// Nothing is left of it.
    pub(super) fn current(shared: &Shared) -> Result<Claim, Error> {
        let ctx = current(shared)?;
        let tag = ctx.as_ref().map(Tag::of);
        Ok(Claim { ctx, tag, timeout: None, told: false })
    }

    pub(super) fn ctx(&self) -> Option<&Ctx> {
        self.ctx.as_ref()
    }

    /// Looks at the clock again, after a wait: what the server is told now.
    ///
    /// # Errors
    ///
    /// Nothing is left.
    pub(super) fn tell(&mut self, shared: &Shared) -> Result<(Option<&Tag>, Option<i32>), Error> {
        if let Some(ctx) = &self.ctx {
            self.timeout = Timeout::of(ctx).map_err(|cancelled| refused(shared, cancelled))?;
        }
        self.told = self.tag.is_some();
        let millis = self.timeout.map(Timeout::millis);
        if millis.is_some() {
            shared.counts.add(Event::Bounded);
        }
        if let (Some(tag), Some(ctx)) = (&self.tag, &self.ctx) {
            tracing::debug!(
                target: "ctxprop",
                %tag,
                parent_id = %ctx.span().span_id(),
                timeout_ms = millis,
                "a connection was taken"
            );
        }
        Ok((self.tag.as_ref(), millis))
    }

    /// The tag by which the server knows what it runs for this claim.
    pub(super) fn told(&self) -> Option<&Tag> {
        self.tag.as_ref().filter(|_| self.told)
    }

    /// Whether the server is about to stop, or has stopped, what it runs by itself.
    pub(super) fn is_timed_out(&self) -> bool {
        self.timeout.is_some_and(Timeout::may_have_passed)
    }

    /// What an error of a statement under this claim is to its caller.
    pub(super) fn explain(&self, error: Error, shared: &Shared) -> Error {
        if !is_query_canceled(&error) {
            return error;
        }
        match &self.ctx {
            Some(ctx) if ctx.is_done() => ended(ctx),
            Some(_) if self.is_timed_out() => {
                shared.counts.add(Event::TimedOut);
                tracing::info!(
                    target: "ctxprop",
                    tag = self.tag.as_ref().map(tracing::field::display),
                    timeout_ms = self.timeout.map(Timeout::millis),
                    "the server gave up a statement: the budget is used up"
                );
                error_of(Cancelled::new(Cause::DeadlineExceeded))
            }
            _ => error,
        }
    }
}

/// The context that is current, if one is.
///
/// # Errors
///
/// Nothing is left of it.
pub(super) fn current(shared: &Shared) -> Result<Option<Ctx>, Error> {
    let ctx = Ctx::try_current();
    if let Some(ctx) = &ctx {
        Timeout::of(ctx).map_err(|cancelled| refused(shared, cancelled))?;
    }
    Ok(ctx)
}

/// Runs `work` under `ctx`, and gives it up when that ends: what it holds is dropped then, and settled.
///
/// It is boxed first: futures of sqlx's are large, and would be moved once more at each layer around them.
pub(super) fn bounded<'a, T: 'a>(
    ctx: Option<Ctx>,
    work: impl Future<Output = Result<T, Error>> + Send + 'a,
) -> impl Future<Output = Result<T, Error>> + Send + 'a {
    let work: BoxFuture<'a, _> = Box::pin(work);
    async move {
        match ctx {
            Some(ctx) => ctx.run(work).await.unwrap_or_else(|cancelled| Err(error_of(cancelled))),
            None => work.await,
        }
    }
}

/// The end of a context as an error of sqlx's: `Cancelled::find_in` finds it there.
pub(super) fn error_of(cancelled: Cancelled) -> Error {
    Error::Io(io::Error::from(cancelled))
}

fn ended(ctx: &Ctx) -> Error {
    let cancelled = match ctx.check() {
        Err(cancelled) => cancelled,
        Ok(()) => Cancelled::new(Cause::DeadlineExceeded),
    };
    error_of(cancelled)
}

fn refused(shared: &Shared, cancelled: Cancelled) -> Error {
    shared.counts.add(Event::Refused);
    tracing::info!(
        target: "ctxprop",
        cause = %cancelled.cause(),
        "no connection was asked for: nothing is left of the budget"
    );
    error_of(cancelled)
}

pub(super) fn is_query_canceled(error: &Error) -> bool {
    code(error).is_some_and(|code| code == QUERY_CANCELED)
}

/// Whether an error says that the session is over, or may be: all but an ordinary one of the server's.
pub(super) fn is_fatal(error: &Error) -> bool {
    let Some(code) = code(error) else { return true };
    // 57P: the server shuts down, crashed or starts up. 08: the connection. XX: the server's own fault.
    if ["57P", "08", "XX"].iter().any(|class| code.starts_with(class)) {
        return true;
    }
    // 25: a transaction that was idle, or took, too long. It had ended before anything more was sent.
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref());
    error.is_some_and(|error: &PgDatabaseError| {
        matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic) && !code.starts_with("25")
    })
}

pub(super) fn code(error: &Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}
