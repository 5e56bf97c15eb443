//! The server's half: the layer, and what becomes of a call from its headers to its trailers.

mod body;
mod call;
mod future;
mod layer;
mod request_body;
mod service;
mod told;

pub use body::CtxBody;
pub use future::CtxFuture;
pub use layer::CtxLayer;
pub use service::CtxService;
