//! Does the work: reserves, packs, and books with a third party. What it reserved it gives back, whatever happens.

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;

use super::{Caller, Failure, Order, Receipt};
use crate::house::House;
use crate::visit::Visit;

pub(crate) fn app(house: House) -> Router {
    let layer = CtxLayer::mesh().min_budget(Duration::from_millis(2)).under(house.root());
    Router::new().route("/orders", post(order)).with_state(house).layer(layer)
}

#[propagate]
async fn order(
    ctx: Ctx,
    State(house): State<House>,
    Json(order): Json<Order>,
) -> Result<Json<Receipt>, Failure> {
    let visit = house.arrive("orders", &ctx);
    let done = fulfil(&ctx, &house, &visit, &order).await;
    visit.leave(done).map(Json)
}

#[propagate]
async fn fulfil(
    ctx: &Ctx,
    house: &House,
    visit: &Visit,
    order: &Order,
) -> Result<Receipt, Failure> {
    let caller: Caller = ctx.baggage()?;
    house.reserved(&order.item);
    match tokio::try_join!(pack(house, &order.item), book(house, &order.item)) {
        Ok(_) => Ok(Receipt {
            item: order.item.clone(),
            user_id: caller.user_id,
            tenant: caller.tenant.unwrap_or_default(),
        }),
        Err(failure) => {
            visit.saw(&failure);
            // The caller may be gone, or the time be up: this is done all the same, within two seconds.
            ctx.shield(Duration::from_secs(2), give_back(house, visit, &order.item)).await?;
            Err(failure)
        }
    }
}

/// Books are at hand. Pianos are not.
#[propagate]
async fn pack(house: &House, item: &str) -> Result<(), Failure> {
    let takes = if item == "piano" { Duration::from_secs(60) } else { Duration::from_millis(60) };
    tokio::time::sleep(house.pace(takes)).await;
    Ok(())
}

/// The ledger is somebody else's: it gets half of the time that is left, and learns nothing of the user.
#[propagate(budget = "50%")]
async fn book(house: &House, item: &str) -> Result<(), Failure> {
    let answer =
        house.client().post(house.url("ledger", "/entries")).body(item.to_owned()).send().await?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(Failure::Upstream(format!("the ledger answered {}", answer.status()))),
    }
}

async fn give_back(house: &House, visit: &Visit, item: &str) {
    // As a real one: it takes a while, and must not be cut off.
    tokio::time::sleep(house.pace(Duration::from_millis(20))).await;
    house.given_back(item);
    visit.released(item);
}
