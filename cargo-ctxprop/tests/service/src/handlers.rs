//! Handlers, a middleware, an extractor.

use axum::Json;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::Shared;
use crate::store::load_all;

pub async fn show(State(store): State<Shared>, Path(id): Path<u64>) -> Result<String, StatusCode> {
    let found = load_all(&*store, &[id]).await;
    found.into_iter().flatten().next().ok_or(StatusCode::NOT_FOUND)
}

pub async fn replace(
    State(store): State<Shared>,
    Path(id): Path<u64>,
    Newest(newest): Newest,
    Json(item): Json<String>,
) -> Json<Option<String>> {
    drop(newest);
    Json(store.swap(id, item).await)
}

pub async fn create(store: State<Shared>, item: Json<String>) -> StatusCode {
    let State(store) = store;
    // as soon as possible, and nobody waits for it
    tokio::spawn(async move { keep(&store, item.0).await });
    StatusCode::ACCEPTED
}

async fn keep(store: &Shared, item: String) {
    #[cfg(feature = "audit")]
    crate::audit::record(&item).await;
    store.save(0, item).await;
}

pub async fn count(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-counted", axum::http::HeaderValue::from_static("1"));
    response
}

pub async fn name(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-name", axum::http::HeaderValue::from_static("items"));
    response
}

/// The newest item, as an extractor: the trait is axum's and knows nothing of contexts.
pub struct Newest(pub Option<String>);

impl FromRequestParts<Shared> for Newest {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, store: &Shared) -> Result<Self, Self::Rejection> {
        Ok(Newest(store.load(0).await))
    }
}
