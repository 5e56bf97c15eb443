//! What sqlx's pool does with a connection when it opens, gives out and takes back one: for those who use that pool as
//! it is (sea-orm, a function that takes `&sqlx::PgPool`), and for our own [`PgPool`](super::PgPool) above it.
//!
//! The hooks know the context, because they are polled by whoever asks for a connection. They do not know the
//! connection: sqlx gives them nothing to tell one from the other. So here nothing is stopped by a request to the
//! server; a connection that does not come to rest is closed, which has the server stop what it runs.
//!
//! # Invariants
//! 1. Each connection that is given out was told whose it is, here or in `connection.rs`.
//! 2. Each that comes back passes [`released`]: in a transaction, or with something outstanding, it is not reused.
//! 3. The user's own hooks run as well: after ours where theirs may change what ours have set.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ctxprop::Ctx;
use futures_core::future::BoxFuture;
use tokio::time::timeout;

use super::claim::is_fatal;
use super::connection::is_idle;
use super::options::Shared;
use super::settle::{drain, is_answered, poll_once, reset, roll_back};
use super::sqlx::{Error, PgConnection, PgPoolOptions, PoolConnectionMetadata, Row};
use super::{sqlx, statements};
use crate::budget::Timeout;
use crate::counters::Event;
use crate::tag::Tag;

/// How long a connection that comes back may take to come to rest.
const REST: Duration = Duration::from_millis(250);

tokio::task_local! {
    /// Set where our own pool asks for the connection: it tells the server itself.
    static OURS: ();
}

/// Runs `acquire` so that the hooks leave the telling to who asks.
pub(super) async fn ours<F: Future>(acquire: F) -> F::Output {
    OURS.scope((), acquire).await
}

fn is_ours() -> bool {
    OURS.try_with(|()| ()).is_ok()
}

pub(super) type Hook<T> = Arc<
    dyn Fn(&mut PgConnection, PoolConnectionMetadata) -> BoxFuture<'_, Result<T, Error>>
        + Send
        + Sync,
>;

/// The user's own.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) after_connect: Option<Hook<()>>,
    pub(super) before_acquire: Option<Hook<bool>>,
    pub(super) after_release: Option<Hook<bool>>,
}

/// sqlx's options with our hooks, which call the user's.
pub(super) fn install(options: PgPoolOptions, hooks: Hooks, shared: &Arc<Shared>) -> PgPoolOptions {
    let Hooks { after_connect, before_acquire, after_release } = hooks;
    let (connecting, acquiring, releasing) = (shared.clone(), shared.clone(), shared.clone());
    options
        // What `acquired` sends takes its place.
        .test_before_acquire(false)
        .after_connect(move |conn, meta| {
            let (theirs, shared) = (after_connect.clone(), connecting.clone());
            Box::pin(async move {
                if let Some(theirs) = theirs {
                    theirs(conn, meta).await?;
                }
                connected(conn, &shared).await
            })
        })
        .before_acquire(move |conn, meta| {
            let (theirs, shared) = (before_acquire.clone(), acquiring.clone());
            Box::pin(async move {
                if !is_ours() && !acquired(conn, &shared).await? {
                    return Ok(false);
                }
                match theirs {
                    Some(theirs) => theirs(conn, meta).await,
                    None => Ok(true),
                }
            })
        })
        .after_release(move |conn, meta| {
            let (theirs, shared) = (after_release.clone(), releasing.clone());
            Box::pin(async move {
                if !released(conn, &shared).await? {
                    return Ok(false);
                }
                if let Some(theirs) = theirs
                    && !theirs(conn, meta).await?
                {
                    return Ok(false);
                }
                Ok(assert_clean(conn, &shared))
            })
        })
}

/// A new connection: remembers what the user has set, and tells whose it is.
async fn connected(conn: &mut PgConnection, shared: &Shared) -> Result<(), Error> {
    let own = if shared.settings.pooler {
        sqlx::fetch_one(conn, statements::CONNECTED_TO_POOLER).await?
    } else {
        match sqlx::fetch_one(conn, statements::CONNECTED).await {
            Err(error) if !is_fatal(&error) => {
                sqlx::fetch_one(conn, statements::CONNECTED_BLIND).await?
            }
            row => row?,
        }
    };
    shared.set_own_timeout(own.try_get(0)?);
    if !is_ours() && Ctx::try_current().is_some() {
        acquired(conn, shared).await?;
    }
    Ok(())
}

/// A connection is given out: tells the server for whom, in the place of sqlx's ping. Whether it is fit for use.
async fn acquired(conn: &mut PgConnection, shared: &Shared) -> Result<bool, Error> {
    let ctx = match Ctx::try_current() {
        Some(ctx) if !shared.settings.pooler => ctx,
        _ => return is_idle(conn).await,
    };
    // To say no here would close the connection. What comes too late is stopped by the server.
    let millis = match Timeout::of(&ctx) {
        Ok(timeout) => timeout.map(Timeout::millis),
        Err(_) => Some(1),
    };
    if millis.is_some() {
        shared.counts.add(Event::Bounded);
    }
    let statement = statements::taken(&Tag::of(&ctx), millis);
    sqlx::fetch_one(conn, &statement).await?.try_get(0)
}

/// A connection comes back: brings it to rest. Whether it did.
async fn released(conn: &mut PgConnection, shared: &Shared) -> Result<bool, Error> {
    let outstanding = !is_answered(conn);
    if !roll_back(conn) && !outstanding {
        return Ok(true);
    }
    let rest = async {
        drain(conn).await?;
        if outstanding { reset(conn, shared).await } else { Ok(()) }
    };
    let why = match timeout(REST, rest).await {
        Ok(Ok(())) => return Ok(true),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its last statement still runs".to_owned(),
    };
    shared.counts.add(Event::Closed);
    tracing::warn!(
        target: "ctxprop",
        why,
        "a connection is closed, because it is not known to be clean"
    );
    // sqlx closes it without a word to the server, as it does for every error.
    Err(Error::Protocol("the connection is not known to be clean".into()))
}

/// Sends the reset together with sqlx's ping, which reads the answer: in a transaction it is an error, and sqlx closes
/// the connection. So a clean connection costs no round trip.
fn assert_clean(conn: &mut PgConnection, shared: &Shared) -> bool {
    let statement =
        if shared.settings.pooler { statements::CHECK_OR_FAIL } else { statements::RESET_OR_FAIL };
    // Polled once, and dropped: it is written then, or in the buffer that the ping sends first.
    match poll_once(pin!(sqlx::execute(conn, statement))) {
        Poll::Pending | Poll::Ready(Ok(())) => true,
        Poll::Ready(Err(_)) => {
            shared.counts.add(Event::Closed);
            false
        }
    }
}
