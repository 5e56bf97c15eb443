//! What a leaf, a scope or a task keeps so that observers are told of it: where it was written, and who it is.
//!
//! # Invariants
//! 1. Without the feature `observe` all of it is nothing: no byte, and no instruction once it is optimised.
//! 2. With it, but no observer, it is a relaxed load where something is made, polled and dropped, and three words that are
//!    kept: some 43 instructions for a leaf that is ready (`benches/src/bin/live-cost.rs`).
//! 3. What was made before an observer was installed is told at its next poll. What was never told is not told to be gone.

#[cfg(feature = "observe")]
pub use on::Observed;
#[cfg(feature = "observe")]
pub(crate) use on::{Watch, current, observed};

#[cfg(not(feature = "observe"))]
pub use off::Observed;
#[cfg(not(feature = "observe"))]
pub(crate) use off::{Watch, observed};

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    Pending,
    Ready,
    /// The context had ended before it began.
    Refused,
    /// It was pending after the end.
    GivenUp,
    #[cfg(feature = "observe")]
    Panicked,
}

/// What is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObservedKind {
    /// An `.await`, `join!` or `select!` of a function that can say `Cancelled`.
    Leaf,
    /// One of a function that cannot say it, or of a block.
    Await,
    /// One part of a `join!` or `select!`.
    Part,
    /// `ctx.scope(..)`, `call.with(..)`.
    Scope,
    /// The body of a function that names its context, or has a budget or a span.
    Body,
    /// An `async` block.
    Block,
    /// `ctx.run(..)`.
    Run,
    /// A task.
    Task,
    /// A task of blocking code.
    Blocking,
    /// `ctx.shield(..)`. It is active when it is pending.
    Shield,
    /// What `ctx.defer(..)` gives.
    Deferred,
    /// A request that came in, from its headers to the end of its response. It is not polled.
    Request,
}

#[cfg(feature = "observe")]
mod on;

#[cfg(not(feature = "observe"))]
mod off;

/// The outcome of a poll that gives something or stays pending.
#[inline(always)]
pub(crate) fn outcome<T>(polled: &std::task::Poll<T>) -> Outcome {
    if polled.is_ready() { Outcome::Ready } else { Outcome::Pending }
}
