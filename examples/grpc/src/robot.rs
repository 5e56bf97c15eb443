//! The last hop: it fetches an article, which takes its time.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use ctxprop::{Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;

use crate::Log;

/// The service.
pub fn app(log: Log) -> Router {
    Router::new().route("/fetch/{id}", post(fetch)).with_state(log).layer(CtxLayer::mesh())
}

#[propagate]
async fn fetch(ctx: Ctx, State(log): State<Log>, Path(id): Path<u32>) -> Result<String, Cancelled> {
    log.arrived("robot", &ctx);
    // The further an article is, the longer it takes.
    tokio::time::sleep(Duration::from_millis(id.into())).await;
    Ok(format!("shelf {}", id % 7))
}
