//! What can go wrong in the shop, and what the one who asked is told of it.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ctxprop::{BaggageError, Cancelled};
use ctxprop_axum::Failure;

/// Any error of the shop.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The context ended: nobody waits any more, or the service shuts down.
    #[error("given up")]
    Cancelled(#[from] Cancelled),
    /// It cannot be done, and this is why.
    #[error("{1}")]
    Refused(StatusCode, &'static str),
    /// Another service did not do its part.
    #[error("another service failed")]
    Upstream(#[from] ctxprop_reqwest::Error),
    /// The database.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The caller is not known.
    #[error("the caller is not known")]
    Caller(#[from] BaggageError),
    /// What several waited for failed.
    #[error(transparent)]
    Shared(#[from] Arc<ShopError>),
    /// The message broker.
    #[error("the broker failed")]
    Broker(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file or a socket.
    #[error("a file or a socket failed")]
    Io(#[from] std::io::Error),
}

impl ShopError {
    /// An error of the broker's many kinds.
    pub(crate) fn broker(error: impl std::error::Error + Send + Sync + 'static) -> ShopError {
        ShopError::Broker(Box::new(error))
    }
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        match self {
            ShopError::Refused(status, why) => (status, why).into_response(),
            // What another service refuses the caller did wrong; else it is 502, or 504 where the time was up.
            ShopError::Upstream(error) => match error.status() {
                Some(status) if status.is_client_error() => status.into_response(),
                _ => error.into_response(),
            },
            // The end of a context, however deep, is what it is; the rest is 500, and goes to the log.
            error => Failure::from(error).into_response(),
        }
    }
}
