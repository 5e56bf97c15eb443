//! Tests of code that has a context: every way it can end, and that nothing is left behind.
//!
//! - [`#[ctxprop::test]`](macro@crate::test): an async test with a context, which fails where something of it is left.
//! - [`ends_everywhere`](ends_everywhere()): runs a future once for each place at which its context can end: before, during and after each
//!   `.await`, those inside of joins, tasks and shields among them. It finds cleanup without a shield, lost tasks, ends that
//!   were swallowed and contexts that leak, and has each run looked at by a check of yours.
//! - [`elapse`] and [`exhaust`]: a clock for budgets.
//! - In `ctxprop-reqwest`, behind a feature of the same name, a client that answers from a script, without sockets.
//!
//! The page [Testing](https://github.com/ctxprop/ctxprop/blob/main/docs/testing.md) shows all of it on one example.
//!
//! The feature `testing` is for `[dev-dependencies]`: it has the core tell of each await, which costs a little.
//!
//! ```toml
//! [dev-dependencies]
//! ctxprop = { version = "0.1", features = ["testing"] }
//! ```

mod clock;
mod everywhere;
mod harness;
mod ledger;
mod outcome;
mod report;
mod run;
mod world;

pub use clock::{elapse, exhaust};
pub use everywhere::{EndsEverywhere, Given, ends_everywhere, given};
pub use outcome::Outcome;
pub use report::Finding;
pub use world::{End, Phase, World};

/// For `#[ctxprop::test]`.
#[doc(hidden)]
pub use harness::{Flavor, Harness};
