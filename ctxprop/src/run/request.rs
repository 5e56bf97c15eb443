//! [`Request`]: what the layer of a server holds as long as a request lasts, so that observers are told of it under its name.
//! Not public API.
//!
//! Without the feature `observe` it is nothing, so that those layers need no feature of their own; with it, and no observer, it
//! is a relaxed load where it is made and one where it is dropped.

use crate::ctx::Ctx;
use crate::run::watch::Watch;

/// A request, from its headers to the end of its response. Dropped once its context has ended, and before that goes.
#[derive(Debug)]
pub struct Request {
    _watch: Watch,
}

impl Request {
    /// One that runs under `ctx`. Its name is a method and a route: not the path, which may hold what is private, and of which
    /// there are many. It is asked for where somebody wants to know.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn begins(ctx: &Ctx, name: impl FnOnce() -> String) -> Request {
        Request { _watch: Watch::request(ctx, name) }
    }

    /// One that another layer tells of.
    #[inline]
    #[cfg_attr(feature = "observe", track_caller)]
    pub fn none() -> Request {
        Request { _watch: Watch::none() }
    }
}
