//! Extractors besides [`Ctx`], whose own is in the core crate.

use std::fmt;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use ctxprop::__private::of_request;
use ctxprop::{BaggageError, MissingLayer};
use http::StatusCode;
use http::request::Parts;

/// The caller's baggage as a `T`: 400 where it cannot be read, with the key and never the value.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use ctxprop_axum::{Baggage, CtxLayer};
///
/// #[derive(ctxprop::Baggage)]
/// struct Caller {
///     #[baggage(key = "user.id", max_len = 20)]
///     user_id: u64,
/// }
///
/// async fn whoami(Baggage(caller): Baggage<Caller>) -> String {
///     caller.user_id.to_string()
/// }
///
/// let app: Router = Router::new().route("/whoami", get(whoami)).layer(CtxLayer::mesh());
/// # drop(app);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Baggage<T>(pub T);

impl<S: Sync, T: ctxprop::Baggage> FromRequestParts<S> for Baggage<T> {
    type Rejection = BaggageRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, BaggageRejection> {
        match of_request(&parts.extensions) {
            Some(ctx) => ctx.baggage().map(Baggage).map_err(BaggageRejection::Baggage),
            None => Err(BaggageRejection::MissingLayer),
        }
    }
}

/// Why [`Baggage`] could not be extracted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BaggageRejection {
    /// An entry is missing or does not parse: 400.
    Baggage(BaggageError),
    /// No layer gave the request a context: 500, as for [`Ctx`].
    MissingLayer,
}

impl fmt::Display for BaggageRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BaggageRejection::Baggage(error) => error.fmt(f),
            BaggageRejection::MissingLayer => MissingLayer::default().fmt(f),
        }
    }
}

impl std::error::Error for BaggageRejection {}

impl IntoResponse for BaggageRejection {
    fn into_response(self) -> Response {
        match self {
            BaggageRejection::Baggage(error) => {
                (StatusCode::BAD_REQUEST, error.to_string()).into_response()
            }
            BaggageRejection::MissingLayer => MissingLayer::default().into_response(),
        }
    }
}
