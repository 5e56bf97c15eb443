//! A third party: outside of the mesh, without ctxprop. It tells what it was sent.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;

use crate::house::House;

pub(crate) fn app(house: House) -> Router {
    Router::new().route("/entries", post(entry)).with_state(house)
}

async fn entry(State(house): State<House>, headers: HeaderMap, _item: String) -> &'static str {
    house.third_party_received(&headers);
    tokio::time::sleep(house.pace(Duration::from_millis(15))).await;
    "booked"
}
