//! The services, as their authors would write them, and what they say to each other.

use axum::response::{IntoResponse, Response};
use ctxprop::{BaggageError, Cancelled};
use ctxprop_reqwest::StatusCode;
use serde::{Deserialize, Serialize};

pub(crate) mod auth;
pub(crate) mod gateway;
pub(crate) mod ledger;
pub(crate) mod orders;

/// What a client wants.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) item: String,
}

/// What it gets.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Receipt {
    pub(crate) item: String,
    /// Who the order is for, as the last hop read it from the baggage.
    pub(crate) user_id: u64,
    pub(crate) tenant: String,
}

/// Who asks: set by auth, read by whoever comes after it.
#[derive(ctxprop::Baggage, Clone, Debug)]
pub(crate) struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    pub(crate) user_id: u64,
    #[baggage(key = "tenant", max_len = 32)]
    pub(crate) tenant: Option<String>,
}

/// Why a service did not do what it was asked. `From<Cancelled>` is what lets its functions unwind.
#[derive(Debug)]
pub(crate) enum Failure {
    Cancelled(Cancelled),
    Baggage(BaggageError),
    Upstream(String),
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Failure::Cancelled(cancelled)
    }
}

impl From<BaggageError> for Failure {
    fn from(error: BaggageError) -> Self {
        Failure::Baggage(error)
    }
}

impl From<ctxprop_reqwest::Error> for Failure {
    fn from(error: ctxprop_reqwest::Error) -> Self {
        match error.cancelled() {
            Some(cancelled) => Failure::Cancelled(cancelled.clone()),
            None => Failure::Upstream(error.to_string()),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Cancelled(cancelled) => write!(f, "{cancelled}"),
            Failure::Baggage(error) => write!(f, "{error}"),
            Failure::Upstream(what) => f.write_str(what),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Cancelled(cancelled) => cancelled.into_response(),
            Failure::Baggage(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
            Failure::Upstream(what) => (StatusCode::BAD_GATEWAY, what).into_response(),
        }
    }
}

/// The receipt that a peer answered with, or why there is none.
pub(crate) async fn receipt(response: ctxprop_reqwest::Response) -> Result<Receipt, Failure> {
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::Upstream(format!("the peer answered {status}")));
    }
    response.json().await.map_err(|error| Failure::Upstream(error.to_string()))
}
