//! The services, and what they say to each other. None of them knows of OpenTelemetry.

use std::error::Error;

use axum::response::{IntoResponse, Response};
use ctxprop::{Background, BaggageError, Cancelled, Cause, Ctx};
use ctxprop_reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

mod auth;
mod gateway;
mod orders;

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
    /// All baggage that reached the last hop.
    pub(crate) baggage: Vec<(String, String)>,
}

/// Who asks: set by auth, read by whoever comes after it.
#[derive(ctxprop::Baggage, Clone, Debug)]
pub(crate) struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    pub(crate) user_id: u64,
    #[baggage(key = "tenant", max_len = 32)]
    pub(crate) tenant: Option<String>,
}

/// What every service has.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    client: Client,
    /// Where the next service is, if there is one.
    next: String,
}

impl Peers {
    /// Passes an order on to the next service.
    fn post(&self, path: &str, order: &Order) -> ctxprop_reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.next)).json(order)
    }
}

/// Runs one service until standard input ends.
pub(crate) async fn serve(service: &str, next: Option<&str>) -> Result<(), Box<dyn Error>> {
    let peers = Peers {
        client: Client::builder().no_proxy().build()?,
        next: next.unwrap_or_default().to_owned(),
    };
    let (root, canceller) = Ctx::background().with_cancel();
    let app = match service {
        "gateway" => gateway::app(peers, &root),
        "auth" => auth::app(peers, &root),
        "orders" => orders::app(&root),
        other => return Err(format!("there is no service `{other}`").into()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            // It ends, whichever way: there is nothing else to wait for.
            drop(tokio::io::stdin().read_to_end(&mut Vec::new()).await);
            canceller.cancel_with(Cause::Shutdown);
        })
        .await?;
    root.idle().await;
    Ok(())
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
async fn receipt(response: ctxprop_reqwest::Response) -> Result<Receipt, Failure> {
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::Upstream(format!("the peer answered {status}")));
    }
    response.json().await.map_err(|error| Failure::Upstream(error.to_string()))
}
