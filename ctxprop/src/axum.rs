//! The few trait implementations for axum that only this crate may write, since the types are its own.
//!
//! The layer that gives requests their context is in `ctxprop-axum`.

use std::convert::Infallible;
use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::cause::{Cancelled, Cause};
use crate::ctx::Ctx;
use crate::of_request::of_request;

/// The request has no context, because no layer gave it one. As a response: 500, and what to add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingLayer {}

impl fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this request has no context: add `.layer(ctxprop_axum::CtxLayer::edge())` to the router, or \
             `CtxLayer::mesh()` where only peers call it",
        )
    }
}

impl std::error::Error for MissingLayer {}

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!(target: "ctxprop", "{self}");
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// The context of the request, as a handler's argument: below middleware that runs what it wraps under a context of its
/// own (`ctx.scope(next.run(request))`), that one.
impl<S: Sync> FromRequestParts<S> for Ctx {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingLayer> {
        of_request(&parts.extensions).ok_or(MissingLayer {})
    }
}

/// `Option<Ctx>`: `None` where no layer gave the request a context.
impl<S: Sync> OptionalFromRequestParts<S> for Ctx {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(of_request(&parts.extensions))
    }
}

/// The status of [`Cancelled::http_status`] and a line of text. The response's extensions keep the error, for
/// layers outside.
impl IntoResponse for Cancelled {
    fn into_response(self) -> Response {
        // A custom cause is the application's own affair: its text may tell too much.
        let text = match self.cause() {
            Cause::Custom(_) => "the request was abandoned".to_owned(),
            _ => self.to_string(),
        };
        let mut response = (self.http_status(), text).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Cancelled> for Response {
    fn from(cancelled: Cancelled) -> Self {
        cancelled.into_response()
    }
}
