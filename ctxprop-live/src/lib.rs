#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc = include_str!("../docs/live.md")]
pub mod guide {}

mod access;
mod chain;
mod clock;
mod entry;
mod events;
mod look;
pub mod model;
mod policy;
mod recent;
mod registry;
mod rows;
mod view;
mod watcher;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::Router;
use ctxprop::observe;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::model::{Recent, Snapshot};
use crate::policy::Shown;
use crate::recent::Ring;
use crate::registry::Registry;
use crate::watcher::Watcher;

pub use view::View;

/// So many pieces of work are known at most, unless [`enable_with`] says otherwise.
pub const MOST: usize = 50_000;

/// Since when, or zero.
static SINCE: AtomicU64 = AtomicU64::new(0);

fn watcher() -> &'static Watcher {
    static WATCHER: OnceLock<Watcher> = OnceLock::new();
    WATCHER.get_or_init(|| Watcher { live: Registry::new(), recent: Ring::new() })
}

/// Has this process looked at, from now on: what begins, and what is polled. At most [`MOST`] pieces of work are known.
///
/// Until then, and after [`disable`], an await costs the load of one flag.
///
/// False where something else observes this process already. A second call changes the bound, and nothing else.
///
/// # Examples
///
/// ```
/// assert!(ctxprop_live::enable());
/// assert!(ctxprop_live::is_enabled());
/// ```
pub fn enable() -> bool {
    enable_with(MOST)
}

/// The same, and at most `most` pieces of work are known: each takes some 300 bytes, and 200 for each of its pending awaits, of
/// which at most 256 are known. What does not fit is counted.
pub fn enable_with(most: usize) -> bool {
    let watcher = watcher();
    watcher.live.set_bound(most);
    let is_on = observe::everywhere(watcher);
    if is_on && SINCE.load(Relaxed) == 0 {
        SINCE.store(clock::now(), Relaxed);
    }
    is_on
}

/// Looks no more, and forgets what it knew.
pub fn disable() {
    if SINCE.swap(0, Relaxed) != 0 {
        observe::nowhere();
        watcher().live.clear();
        watcher().recent.clear();
    }
}

/// Whether this process is looked at.
pub fn is_enabled() -> bool {
    SINCE.load(Relaxed) != 0
}

/// What is live in this process. Of baggage it has the keys.
///
/// # Examples
///
/// ```
/// ctxprop_live::enable();
/// for work in ctxprop_live::snapshot().live {
///     println!("{} waits at {:?}", work.name, work.awaits.last());
/// }
/// ```
pub fn snapshot() -> Snapshot {
    look(&Shown::default())
}

/// The router with the page at `/debug/ctx`, for whoever asks from loopback: see [`View`] for the choices.
///
/// # Examples
///
/// ```no_run
/// # async fn serve() -> std::io::Result<()> {
/// use axum::Router;
/// use tokio::net::TcpListener;
///
/// ctxprop_live::enable();
/// // A listener of its own, which nobody outside can reach.
/// let listener = TcpListener::bind("127.0.0.1:6060").await?;
/// tokio::spawn(async move { ctxprop_axum::serve(listener, ctxprop_live::router()).await });
/// # Ok(())
/// # }
/// ```
pub fn router() -> Router {
    View::new().router()
}

fn look(shown: &Shown) -> Snapshot {
    look::all(watcher(), shown, SINCE.load(Relaxed))
}

/// The same on a thread for blocking code: where thousands are live it takes some milliseconds, for which no task should wait.
fn look_apart<T: Send + 'static>(
    shown: &Shown,
    then: impl FnOnce(Snapshot) -> T + Send + 'static,
) -> JoinHandle<T> {
    let shown = shown.clone();
    spawn_blocking(move || then(look(&shown)))
}

fn recent() -> Recent {
    watcher().recent.told()
}
