#![doc = include_str!("../README.md")]

mod active;
mod baggage;
mod carried;
mod context;
mod faults;
mod format;
mod span_context;

pub use active::install;
pub use baggage::{from_baggage, to_baggage};
pub use carried::{Captured, Carried, carried};
pub use context::{CtxExt, ctx_of};
pub use faults::{Faults, faults};
pub use format::PropagatorFormat;
pub use opentelemetry;
pub use span_context::{from_span_context, to_span_context};
