use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use service::{Fixed, Memory, Shared, Store, app, changes, load_blocking, when};
use tower::ServiceExt;

async fn shared() -> Shared {
    let store = Memory::default();
    store.save(0, "zero".to_owned()).await;
    Arc::new(store)
}

#[tokio::test]
async fn an_item_is_shown() {
    let request = Request::get("/items/0").body(Body::empty()).unwrap();
    let response = app(shared().await).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-counted"], "1");
    assert_eq!(&to_bytes(response.into_body(), 100).await.unwrap()[..], b"zero");
}

#[tokio::test]
async fn an_item_is_replaced() {
    let store = shared().await;
    let request = Request::put("/items/0")
        .header("content-type", "application/json")
        .body(Body::from("\"new\""))
        .unwrap();
    let response = app(store.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(store.load(0).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn an_item_is_created() {
    let request = Request::post("/items")
        .header("content-type", "application/json")
        .body(Body::from("\"new\""))
        .unwrap();
    let response = app(shared().await).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn changes_are_seen() {
    let changes = pin!(changes(shared().await, 0).await);
    assert_eq!(changes.collect::<Vec<_>>().await, ["zero"]);
}

#[tokio::test]
async fn time_passes() {
    assert_eq!(when(&Fixed(1)).await, 2);
}

#[test]
fn from_a_thread_of_its_own() {
    assert_eq!(load_blocking(&Memory::default(), 1).unwrap(), None);
}
