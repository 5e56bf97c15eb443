//! How code runs under a context: what is current, scopes, leaves, joins, shields, tasks.
//!
//! What a context is and how its end is recorded lies below, and knows nothing of this floor.

mod ambient;
pub(crate) mod bound;
pub(crate) mod carry;
pub(crate) mod current;
pub(crate) mod defer;
pub(crate) mod done;
pub(crate) mod frame;
#[doc(hidden)]
#[allow(missing_docs, reason = "for the crates that serve requests or send them")]
pub mod hop;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod join;
pub(crate) mod leaf;
pub(crate) mod listed;
#[cfg(feature = "observe")]
#[doc(hidden)]
#[allow(missing_docs, reason = "for the crates that observe")]
pub mod observe;
pub(crate) mod race;
#[doc(hidden)]
#[allow(missing_docs, reason = "for the crates that serve requests")]
pub mod request;
pub(crate) mod scope;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod select;
pub(crate) mod shared;
pub(crate) mod shield;
pub(crate) mod task;
pub(crate) mod task_set;
mod timeout;
pub(crate) mod wait;
#[doc(hidden)]
#[allow(missing_docs, reason = "for the crates that observe")]
pub mod watch;
