//! Calls that `#[propagate]` cannot know: in helpers, under other names, through re-exports.
//!
//! Never run. `tests/tests/clippy_lines.rs` runs clippy over it with the `clippy.toml` that the docs recommend: each
//! call is refused by the line that stands behind it, and nothing else is.

use std::time::Duration;

use ctxprop::{Background as Root, Ctx as Context};
use futures::executor::block_on as wait;
use reqwest::{Client as Http, ClientBuilder as HttpBuilder, get as fetch};
use std::thread::{sleep as nap, spawn as on_a_thread};
use tokio::runtime::{Handle, Runtime};
use tokio::spawn as go;
use tokio::task::{spawn_blocking as run, spawn_local as go_here};

/// What another crate would export.
mod prelude {
    pub(crate) use tokio::task as work;
}

/// All of them.
#[allow(clippy::let_underscore_future, reason = "nothing here is run")]
pub async fn helper(handle: &Handle, runtime: &Runtime) {
    let _ = Context::background(); // ctxprop::Background::background
    let _ = <Context as Root>::todo(); // ctxprop::Background::todo
    let _ = go(async {}); // tokio::spawn
    let _ = prelude::work::spawn(async {}); // tokio::spawn
    let _ = [async {}].map(go); // tokio::spawn
    let _ = run(|| ()); // tokio::task::spawn_blocking
    let _ = go_here(async {}); // tokio::task::spawn_local
    let _ = handle.spawn(async {}); // tokio::runtime::Handle::spawn
    let _ = on_a_thread(|| ()); // std::thread::spawn
    let _ = fetch("http://stock").await; // reqwest::get
    let _ = Http::new(); // reqwest::Client::new
    let _ = Http::builder(); // reqwest::Client::builder
    let _ = HttpBuilder::new(); // reqwest::ClientBuilder::new
    let _ = reqwest::blocking::get("http://stock"); // reqwest::blocking::get
    let _ = reqwest::blocking::Client::new(); // reqwest::blocking::Client::new
    nap(Duration::ZERO); // std::thread::sleep
    wait(async {}); // futures::executor::block_on
    handle.block_on(async {}); // tokio::runtime::Handle::block_on
    runtime.block_on(async {}); // tokio::runtime::Runtime::block_on
}

/// Of the same names.
pub async fn look_alikes(ctx: &Context) {
    let _ = ctx.spawn(async {}).await;
    let _ = ctx.spawn_blocking(|_| ()).await;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async {});
    tokio::time::sleep(Duration::ZERO).await;
    let _ = tokio::time::timeout(Duration::ZERO, async {}).await;
}
