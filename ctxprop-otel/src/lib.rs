#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod active;
mod baggage;
mod carried;
mod context;
#[cfg(feature = "sdk")]
mod export;
mod faults;
mod format;
#[cfg(feature = "sdk")]
mod next;
mod span_context;
#[cfg(feature = "sdk")]
mod spans;

pub use active::install;
pub use baggage::{from_baggage, to_baggage};
pub use carried::{Captured, Carried, carried};
pub use context::{CtxExt, ctx_of};
#[cfg(feature = "sdk")]
pub use export::CountedBatch;
pub use faults::{Faults, faults};
pub use format::PropagatorFormat;
#[cfg(feature = "sdk")]
pub use next::CtxIds;
pub use opentelemetry;
pub use span_context::{from_span_context, to_span_context};
#[cfg(feature = "tracing")]
pub use spans::layer;
#[cfg(feature = "sdk")]
pub use spans::{CtxSpan, CtxTracer, record_hops};
