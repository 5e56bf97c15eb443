#![doc = include_str!("../docs/testing.md")]

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
