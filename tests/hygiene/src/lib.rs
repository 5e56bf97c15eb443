//! Compiled, not run: generated code must name nothing that is not its own.
//!
//! There is no prelude, ctxprop is called `context`, the names that code leans on are taken by modules, and every
//! lint that could complain of generated code is denied.

#![no_implicit_prelude]
#![deny(warnings, clippy::pedantic, unused, missing_docs, unreachable_pub, unused_qualifications)]
#![deny(single_use_lifetimes, trivial_casts, unused_lifetimes, let_underscore_drop)]

/// Names that code leans on.
#[allow(non_snake_case, missing_docs, dead_code, non_camel_case_types)]
mod taken {
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod ctxprop {}
    pub(crate) enum Result {}
    pub(crate) enum Option {}
    pub(crate) const fn Ok() {}
    pub(crate) const fn Err() {}
    pub(crate) const fn Some() {}
    pub(crate) enum Send {}
    pub(crate) enum Future {}
    pub(crate) enum Clone {}
    pub(crate) enum String {}
}

#[allow(unused_imports)]
use self::taken::*;

use ::context::{Cancelled, Ctx, propagate};
// For tokio's own macros, which need it.
use ::std::default::Default;

type Said<T> = ::std::result::Result<T, Cancelled>;

/// Unwinds.
///
/// # Errors
///
/// When its context ends.
#[propagate(crate = ::context)]
pub async fn unwinds(how: u32, mut value: u32, (end, select): (u32, u32)) -> Said<u32> {
    value += ::std::future::ready(how).await;
    let ctx = end + select;
    ::std::result::Result::Ok(value + ctx)
}

/// Is given its context and a budget.
///
/// # Errors
///
/// When its context ends.
#[propagate(crate = ::context, budget = "1s", unwind)]
pub async fn given(ctx: Ctx, n: u32) -> Said<u32> {
    let block = async { unwinds(n, 1, (2, 3)).await };
    let owns = move |n: u32| async move { unwinds(n, 1, (2, 3)).await };
    let (one, two) = ::tokio::join!(unwinds(1, 1, (1, 1)), unwinds(2, 2, (2, 2)));
    let selected = ::tokio::select! {
        n = unwinds(n, 1, (1, 1)) => n?,
        () = ::std::future::pending() => 0,
    };
    let left = ctx.remaining();
    let _ = left;
    ::std::result::Result::Ok(block.await? + owns(1).await? + one? + two? + selected)
}

/// Threads.
#[propagate(crate = "::context")]
pub async fn threads(n: u32) -> bool {
    unwinds(n, 1, (2, 3)).await.is_ok()
}

/// Methods.
#[derive(Debug)]
pub struct Store;

impl Store {
    /// By reference.
    #[propagate(crate = ::context)]
    pub async fn by_reference<'a>(&'a self, text: &'a str) -> &'a str {
        threads(1).await;
        text
    }
}

/// A module of a known name.
mod thread {
    pub(crate) const fn sleep(text: &'static str) -> &'static str {
        text
    }
}

/// What the rules ask of types, where nothing is wrong, and what is allowed.
///
/// # Errors
///
/// When its context ends.
#[propagate(crate = ::context)]
pub async fn asked(wait: ::std::time::Duration) -> Said<&'static str> {
    let root = 1;
    #[propagate(allow(static_timeout, reason = "shorter than any budget"))]
    let timeout = ::tokio::time::timeout(::std::time::Duration::from_secs(1), async move { root });
    let later = ::tokio::time::timeout(wait, timeout);
    #[propagate(allow(detached_task, reason = "it outlives the request"))]
    ::std::mem::drop(::tokio::spawn(async move { later.await.is_ok() }));
    ::std::result::Result::Ok(thread::sleep("mine"))
}
