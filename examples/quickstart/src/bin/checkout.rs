//! The service of the README's quick start, whole. `cargo run -p quickstart --bin checkout` serves it on port 8080.

#![allow(clippy::expect_used, reason = "of a constant URL, once, at the first use")]

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ctxprop::BaggageError;
use ctxprop_reqwest::reqwest;
use serde::{Deserialize, Serialize};

use std::sync::LazyLock;
use std::time::Duration;

use axum::extract::Path;
use axum::routing::post;
use axum::{Json, Router};
use ctxprop::{Baggage, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::{Client, Error};

#[derive(Baggage, Debug, Clone)]
struct Caller {
    #[baggage(key = "user.id", max_len = 20)]
    user_id: u64,
    #[baggage(key = "tenant", max_len = 32)]
    tenant: Option<String>,
}

// An entry point names its context: axum hands it over.
#[propagate]
async fn checkout(ctx: Ctx, Path(id): Path<u64>) -> Result<Json<Receipt>, ApiError> {
    let caller: Caller = ctx.baggage()?;
    let (article, price) = tokio::try_join!(find(id), quote(id, caller.user_id))?;
    let stock = reserve(article).await?;
    match charge(price).await {
        Ok(receipt) => Ok(Json(receipt)),
        Err(error) => {
            // The caller may be gone: cleanup still runs, for at most two seconds.
            ctx.shield(Duration::from_secs(2), release(stock)).await?;
            Err(error)
        }
    }
}

// A function in the middle leaves it out: it cannot be awaited without one.
#[propagate(budget = "40%")]
async fn charge(price: u64) -> Result<Receipt, ApiError> {
    // Headers are written and the budget is enforced; the baggage goes to peers only.
    let answer = payments().post("/charge").json(&price).send().await?;
    Ok(answer.error_for_status()?.json().await?)
}

#[propagate]
async fn find(id: u64) -> Result<u64, ApiError> {
    Ok(id)
}

#[propagate]
async fn quote(id: u64, user_id: u64) -> Result<u64, ApiError> {
    Ok(id * user_id)
}

#[propagate]
async fn reserve(article: u64) -> Result<u64, ApiError> {
    Ok(article)
}

fn payments() -> &'static Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        Client::builder().base_url("http://payments").build().expect("a valid URL")
    });
    &CLIENT
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // Peers call us, and the edge has checked who asks. A service that strangers call: `CtxLayer::edge()`.
    let app = Router::new()
        .route("/checkout/{id}", post(checkout))
        .layer(CtxLayer::mesh().default_budget(Duration::from_secs(10)));
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await
}

// What the README leaves out: the error, which is what every service has, and the rest of the shop.

#[derive(Deserialize, Serialize)]
struct Receipt {
    id: u64,
}

/// `From<Cancelled>` is what lets the functions above unwind.
enum ApiError {
    Cancelled(Cancelled),
    Baggage(BaggageError),
    Upstream(Error),
}

impl From<Cancelled> for ApiError {
    fn from(cancelled: Cancelled) -> Self {
        ApiError::Cancelled(cancelled)
    }
}

impl From<BaggageError> for ApiError {
    fn from(error: BaggageError) -> Self {
        ApiError::Baggage(error)
    }
}

/// What reading a response gives. Through [`Error`], which tells a deadline that passed meanwhile as what it is.
impl From<reqwest::Error> for ApiError {
    fn from(error: reqwest::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error.cancelled() {
            Some(cancelled) => ApiError::Cancelled(cancelled.clone()),
            None => ApiError::Upstream(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            ApiError::Cancelled(cancelled) => cancelled.into_response(),
            ApiError::Baggage(error) => {
                (StatusCode::BAD_REQUEST, error.to_string()).into_response()
            }
            ApiError::Upstream(error) => {
                (StatusCode::BAD_GATEWAY, error.to_string()).into_response()
            }
        }
    }
}

async fn release(stock: u64) {
    println!("released {stock}");
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ctxprop::testing::given;
    use ctxprop_reqwest::Method;
    use ctxprop_reqwest::testing::{Answer, Here, Script};

    use super::*;

    fn payments_that_take_a_second() -> Here {
        let script = Script::new().here();
        let receipt = Answer::json(&Receipt { id: 9 });
        script.on(Method::POST, "http://payments/charge", receipt.after(Duration::from_secs(1)));
        script
    }

    #[test]
    fn whoever_leaves_gets_no_receipt_and_whoever_stays_does() {
        let charged = Cell::new(0);
        given(payments_that_take_a_second)
            .ends_everywhere(|ctx, _| async move {
                let caller = Caller { user_id: 7, tenant: None };
                checkout(ctx.with_baggage(&caller)?, Path(3)).await
            })
            .budget(Duration::from_secs(10))
            .check(|world| {
                charged.set(charged.get() + world.state().asked().len());
                let sold = world.output().is_some_and(Result::is_ok);
                assert_eq!(sold, !world.was_told());
                if let Some(asked) = world.state().asked().first() {
                    assert_eq!(asked.budget(), Some(Duration::from_secs(4)), "40 % of ten seconds");
                    assert_eq!(asked.baggage().get("user.id"), Some("7"));
                }
            });
        assert!(charged.get() > 0);
    }
}
