//! Pages that explain one thing each, from the beginning: how to adopt contexts in an existing service, where to put other
//! layers, responses and sessions that last, the end of the process, and work that many requests share.
//!
//! Begin with [`adopting`]. The pages are here rather than in `ctxprop` because their examples need a server. All of their
//! code is compiled as tests of this crate.

#[doc = include_str!("../docs/adopting.md")]
pub mod adopting {}

#[doc = include_str!("../docs/middleware.md")]
pub mod middleware {}

#[doc = include_str!("../docs/streams.md")]
pub mod streams {}

#[doc = include_str!("../docs/shutdown.md")]
pub mod shutdown {}

#[doc = include_str!("../docs/shared-work.md")]
pub mod shared_work {}
