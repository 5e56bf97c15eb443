//! Knows who asks: it puts the user into the baggage and passes the request on.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;

use super::{Caller, Failure, Order, Peers, Receipt, receipt};

pub(crate) fn app(peers: Peers, root: &Ctx) -> Router {
    let layer = CtxLayer::mesh().under(root);
    Router::new().route("/authorize", post(authorize)).with_state(peers).layer(layer)
}

#[propagate]
async fn authorize(
    ctx: Ctx,
    State(peers): State<Peers>,
    Json(order): Json<Order>,
) -> Result<Json<Receipt>, Failure> {
    let caller = Caller { user_id: 7, tenant: Some("acme".to_owned()) };
    // From here on every hop knows who asks.
    Ok(Json(fulfil(&peers, &order).with(&ctx.with_baggage(&caller)?).await?))
}

// A span of `tracing`, whoever made it, is the parent of what is sent from inside.
#[tracing::instrument(skip_all)]
#[propagate]
async fn fulfil(peers: &Peers, order: &Order) -> Result<Receipt, Failure> {
    receipt(peers.post("/orders", order).send().await?).await
}
