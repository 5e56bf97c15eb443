//! The edge: strangers call it. It gives each request a budget and passes it on.

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;

use super::{Failure, Order, Receipt, receipt};
use crate::house::House;

/// What a request gets that asks for nothing, and the most that it can ask for.
pub(crate) const BUDGET: Duration = Duration::from_millis(800);

pub(crate) fn app(house: House) -> Router {
    let layer = CtxLayer::edge().default_budget(house.pace(BUDGET)).under(house.root());
    Router::new().route("/checkout", post(checkout)).with_state(house).layer(layer)
}

// Its first argument is the context: axum hands it over.
#[propagate]
async fn checkout(
    ctx: Ctx,
    State(house): State<House>,
    Json(order): Json<Order>,
) -> Result<Json<Receipt>, Failure> {
    let visit = house.arrive("gateway", &ctx);
    visit.leave(place(&house, &order).await).map(Json)
}

// A function in the middle leaves it out. The client finds it all the same, and so does the next service.
#[propagate]
async fn place(house: &House, order: &Order) -> Result<Receipt, Failure> {
    // It looks at the order first.
    tokio::time::sleep(house.pace(Duration::from_millis(20))).await;
    let request = house.client().post(house.url("auth", "/authorize"));
    receipt(request.bearer_auth("a-token-of-ada").json(order).send().await?).await
}
