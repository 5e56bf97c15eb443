//! Request context for async Rust that crosses functions, tasks and networks.

mod baggage;
#[doc(hidden)]
#[allow(missing_docs, reason = "only generated code uses it")]
pub mod body;
mod cancel;
mod cause;
mod ctx;
mod current;
mod deadline;
pub mod detached;
mod leaf;
mod needs_ctx;
mod on_done;
mod scope;
#[doc(hidden)]
pub mod select;
mod shield;
mod slots;
mod span;
mod task;
mod value;
mod watch;
pub mod wire;

#[doc(hidden)]
pub mod __private;

pub use baggage::{
    Baggage, BaggageError, BaggageErrorKind, BaggageMap, BaggageMapBuilder, MAX_BAGGAGE_BYTES,
    MAX_BAGGAGE_MEMBERS,
};
pub use cancel::{CancelGuard, Canceller};
pub use cause::{Cancelled, Cause};
pub use ctx::{Background, Ctx};
#[cfg(feature = "macros")]
pub use ctxprop_macros::propagate;
pub use needs_ctx::{Awaitable, NeedsCtx};
pub use on_done::Registration;
pub use scope::{Run, Scope};
pub use shield::{Shield, Shielding};
pub use span::{
    MAX_TRACE_STATE_BYTES, MAX_TRACE_STATE_MEMBERS, ParseIdError, SpanContext, SpanId, TraceFlags,
    TraceId, TraceState, TraceStateError,
};
pub use task::Task;
pub use watch::Done;
