//! The edge: strangers call it. It gives each request a budget and passes it on.

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::{CtxLayer, handler};

use super::{Failure, Order, Peers, Receipt, receipt};

pub(crate) fn app(peers: Peers, root: &Ctx) -> Router {
    // The clients of this one are ours, and traced: else a stranger's trace would not be continued.
    let layer = CtxLayer::edge()
        .accept_trace()
        .default_budget(Duration::from_secs(10))
        .echo_trace_id()
        .under(root);
    Router::new().route("/checkout", post(handler(checkout))).with_state(peers).layer(layer)
}

#[propagate]
async fn checkout(
    State(peers): State<Peers>,
    Json(order): Json<Order>,
) -> Result<Json<Receipt>, Failure> {
    Ok(Json(receipt(peers.post("/authorize", &order).send().await?).await?))
}
