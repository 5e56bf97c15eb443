//! Does the work: reserves and packs. What it reserved it gives back, whatever happens.

use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;

use super::{Caller, Failure, Order, Receipt};

/// The most that an order takes.
const BUDGET: Duration = Duration::from_secs(5);

pub(crate) fn app(root: &Ctx) -> Router {
    // Nobody waits for a piano, however much time they have.
    let layer = CtxLayer::mesh().max_budget(BUDGET).under(root);
    Router::new().route("/orders", post(order)).layer(layer)
}

#[propagate]
async fn order(ctx: Ctx, Json(order): Json<Order>) -> Result<Json<Receipt>, Failure> {
    let caller: Caller = ctx.baggage()?;
    tracing::info!(item = order.item, "reserved");
    match pack(&order.item).await {
        Ok(()) => Ok(Json(Receipt {
            item: order.item,
            user_id: caller.user_id,
            baggage: ctx
                .baggage_map()
                .iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        })),
        Err(failure) => {
            // The caller may be gone, or the time be up: this is done all the same, within two seconds.
            ctx.shield(Duration::from_secs(2), give_back(&order.item)).await?;
            Err(failure)
        }
    }
}

/// Books are at hand. Pianos are not.
#[propagate(span, fields(item))]
async fn pack(item: &str) -> Result<(), Failure> {
    let takes = if item == "piano" { Duration::from_secs(60) } else { Duration::from_millis(20) };
    tokio::time::sleep(takes).await;
    Ok(())
}

#[tracing::instrument]
async fn give_back(item: &str) {
    tracing::info!("given back");
}
