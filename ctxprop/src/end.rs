//! How one end is recorded, and how whoever waits for it hears of it. This floor knows nothing of contexts: which ends
//! count for a context is `context/ended.rs`.

pub(crate) mod cause;
pub(crate) mod count;
mod keys;
pub(crate) mod record;
mod slab;
mod telling;
mod waiters;

pub(crate) use keys::Keys;
