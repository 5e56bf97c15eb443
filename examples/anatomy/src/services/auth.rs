//! Knows who asks: it puts the user into the baggage and passes the request on.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;

use super::{Caller, Failure, Order, Receipt, gateway, receipt};
use crate::house::House;

pub(crate) fn app(house: House) -> Router {
    let budget = house.pace(gateway::BUDGET);
    let layer = CtxLayer::mesh().default_budget(budget).under(house.root());
    Router::new().route("/authorize", post(authorize)).with_state(house).layer(layer)
}

#[propagate]
async fn authorize(
    ctx: Ctx,
    State(house): State<House>,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Result<Json<Receipt>, Failure> {
    let visit = house.arrive("auth", &ctx);
    visit.leave(identified(&ctx, &house, &headers, &order).await).map(Json)
}

#[propagate]
async fn identified(
    ctx: &Ctx,
    house: &House,
    headers: &HeaderMap,
    order: &Order,
) -> Result<Receipt, Failure> {
    // As a real one, it asks its database.
    tokio::time::sleep(house.pace(Duration::from_millis(20))).await;
    let caller = match headers.get("authorization").and_then(|token| token.to_str().ok()) {
        Some("Bearer a-token-of-ada") => Caller { user_id: 7, tenant: Some("acme".to_owned()) },
        _ => return Err(Failure::Upstream("nobody we know".to_owned())),
    };
    // From here on every hop knows who asks.
    fulfil(house, order).with(&ctx.with_baggage(&caller)?).await
}

#[propagate]
async fn fulfil(house: &House, order: &Order) -> Result<Receipt, Failure> {
    receipt(house.client().post(house.url("orders", "/orders")).json(order).send().await?).await
}
