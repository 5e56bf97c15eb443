//! The client's half: the channel, and what becomes of a call from the caller's context to the end of its answer.

mod bound;
mod channel;
mod egress;
mod metrics;
mod send;

pub use bound::CallBody;
pub use channel::CtxChannel;
pub use send::CallFuture;
