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
    pub(crate) enum Sync {}
    pub(crate) enum Box {}
    pub(crate) enum Pin {}
    pub(crate) enum IntoFuture {}
    pub(crate) enum NeedsCtx {}
    pub(crate) mod tracing {}
    pub(crate) const fn drop() {}
    pub(crate) enum Future {}
    pub(crate) enum Clone {}
    pub(crate) enum String {}
}

#[allow(unused_imports)]
use self::taken::*;

use ::context::{Cancelled, Ctx, propagate};

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

/// Leaves its arguments alone.
#[propagate(crate = ::context)]
pub async fn unused(_: u32, _unused: u32, (_also, _): (u32, u32)) {}

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

/// In a span, with a budget.
///
/// # Errors
///
/// When its context ends.
#[propagate(crate = ::context, span, fields(n, twice = n * 2, named = ?pair.0), budget = "40%")]
pub async fn in_a_span(n: u32, pair: (u32, u32)) -> Said<u32> {
    unwinds(n, pair.1, pair).await?;
    threads(n).await;
    ::std::result::Result::Ok(n)
}

/// In a span of another name, under a context that it names.
#[propagate(crate = ::context, span = "another name")]
pub async fn in_a_named_span(ctx: &Ctx, _: u32, _unused: u32, (_also, _): (u32, u32)) -> bool {
    threads(1).await && ctx.is_done()
}

/// Boxed, and recursive.
#[propagate(crate = ::context, boxed)]
pub async fn boxed(n: u64) -> u64 {
    if n == 0 { 1 } else { n * boxed(n - 1).await }
}

/// Boxed, with lifetimes.
#[propagate(crate = ::context, boxed)]
pub async fn boxed_given<'a>(ctx: &Ctx, one: &'a str, _two: &str) -> (&'a str, bool) {
    threads(1).await;
    (one, ctx.is_done())
}

/// Never returns.
#[propagate(crate = ::context)]
pub async fn never() -> ! {
    loop {
        threads(1).await;
    }
}

/// Diverges.
///
/// # Panics
///
/// Always.
#[propagate(crate = ::context)]
pub async fn diverges() -> u32 {
    threads(1).await;
    ::std::panic!("as it says")
}

/// Keeps what rustfmt would break over lines.
macro_rules! as_written {
    ($($item:tt)*) => { $($item)* };
}

as_written! {
    /// One expression.
    #[propagate(crate = ::context)]
    pub async fn one_expression() -> u32 { never().await }

    /// One expression that never ends.
    #[propagate(crate = ::context)]
    pub async fn one_expression_that_never_ends() -> ! { loop { threads(1).await; } }
}

/// Holds something that drops.
#[propagate(crate = ::context)]
#[must_use]
pub async fn opaque(text: &str) -> impl ::std::fmt::Display {
    const LONG: usize = 3;
    threads(1).await;
    text.len() + LONG
}

/// Counts.
#[propagate(crate = ::context)]
pub trait Counts: ::std::fmt::Debug {
    /// Counts.
    async fn count(&mut self, by: u32) -> u32;

    /// Counts twice.
    async fn twice(&mut self, by: u32) -> u32 {
        self.count(by).await + self.count(by).await
    }

    /// Says whether the context has ended.
    async fn named(&self, ctx: &Ctx, _: (u32, u32)) -> bool {
        threads(1).await && ctx.is_done()
    }
}

#[propagate(crate = ::context)]
impl Counts for Store {
    async fn count(&mut self, by: u32) -> u32 {
        threads(by).await;
        by
    }
}

/// Can be a trait object.
#[propagate(crate = ::context, boxed)]
pub trait Loads {
    /// Loads.
    async fn load(&self, key: &str) -> u32;

    /// Stores.
    async fn store<T: ::std::marker::Send>(
        &mut self,
        key: &str,
        value: T,
    ) -> ::std::option::Option<&str>
    where
        Self: ::std::marker::Sized;

    /// Twice.
    #[propagate(unwind, boxed)]
    async fn twice(&self, key: &str) -> Said<u32> {
        ::std::result::Result::Ok(self.load(key).await + self.load(key).await)
    }
}

#[propagate(crate = ::context, boxed)]
impl Loads for Store {
    async fn load(&self, key: &str) -> u32 {
        threads(1).await;
        if key.is_empty() { 2 } else { 3 }
    }

    async fn store<T: ::std::marker::Send>(
        &mut self,
        _key: &str,
        value: T,
    ) -> ::std::option::Option<&str> {
        threads(1).await;
        ::std::mem::drop(value);
        ::std::option::Option::None
    }
}

/// A module of handlers.
#[propagate(crate = ::context, unwind)]
pub mod handlers {
    use super::{Said, Store};

    /// Free.
    ///
    /// # Errors
    ///
    /// When its context ends.
    pub async fn free(store: &Store) -> Said<u32> {
        store.method().await
    }

    impl Store {
        /// A method.
        ///
        /// # Errors
        ///
        /// When its context ends.
        pub async fn method(&self) -> Said<u32> {
            super::threads(1).await;
            ::std::result::Result::Ok(1)
        }
    }
}

/// Macros and closures.
///
/// # Errors
///
/// When its context ends.
///
/// # Panics
///
/// As its assertions say.
#[propagate(crate = ::context)]
pub async fn macros(ctx: Ctx, n: u32) -> Said<u32> {
    ::std::assert!(
        ::std::matches!(unwinds(n, 1, (2, 3)).await, ::std::result::Result::Ok(m) if m > n)
    );
    let mut one = ::std::pin::pin!(unwinds(n, 1, (2, 3)).with(&ctx));
    let first = (&mut one).await?;
    let closure = async move |n: u32| unwinds(n, 1, (2, 3)).await;
    let called = ctx.scope(closure(first)).await?;
    let all = ::tokio::try_join!(unwinds(n, 1, (1, 1)), async { unwinds(n, 1, (1, 1)).await })?;
    unwinds(n, 1, (2, 3)).await?;
    ::std::result::Result::Ok(called + all.0)
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

/// Gives nothing.
#[propagate(crate = ::context)]
pub async fn nothing() {}

/// Ends with what gives nothing.
#[propagate(crate = ::context)]
pub async fn tail() {
    nothing().await
}
