//! The edge: strangers ask it over HTTP, and it asks the warehouse over gRPC.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ctxprop::{BaggageError, Cancelled, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_tonic::CtxChannel;
use tonic::Status;

use crate::{Article, Caller, Log, WarehouseClient};

type Warehouse = WarehouseClient<CtxChannel>;

/// What its handlers share.
#[derive(Clone, Debug)]
struct Shop {
    warehouse: Warehouse,
    log: Log,
}

/// The service.
pub fn app(warehouse: Warehouse, log: Log) -> Router {
    Router::new()
        .route("/orders/{id}", post(order))
        .route("/levels/{id}", get(levels))
        .with_state(Shop { warehouse, log })
        .layer(CtxLayer::edge().default_budget(Duration::from_secs(10)))
}

/// Why there is no answer.
#[derive(Debug)]
enum Failure {
    /// The time is up, or the caller has gone.
    Cancelled(Cancelled),
    Warehouse,
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Failure::Cancelled(cancelled)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Cancelled::try_from(status).map_or(Failure::Warehouse, Failure::Cancelled)
    }
}

impl From<BaggageError> for Failure {
    fn from(_: BaggageError) -> Self {
        Failure::Warehouse
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Cancelled(cancelled) => cancelled.into_response(),
            Failure::Warehouse => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

/// Whoever it was that signed in.
fn signed_in() -> Caller {
    Caller { customer: "ada".to_owned() }
}

#[propagate]
async fn order(ctx: Ctx, State(shop): State<Shop>, Path(id): Path<u32>) -> Result<String, Failure> {
    let ctx = ctx.with_baggage(&signed_in())?;
    shop.log.arrived("shop", &ctx);
    let shelf = reserve(shop.warehouse, id).with(&ctx).await?;
    Ok(format!("article {id} from {shelf}"))
}

// The client finds the context of the function: budget, trace and baggage go out with the call, below the function's span.
#[propagate(span)]
async fn reserve(mut warehouse: Warehouse, id: u32) -> Result<String, Status> {
    Ok(warehouse.reserve(Article { id }).await?.into_inner().shelf)
}

/// What comes within half a second.
#[propagate]
async fn levels(
    ctx: Ctx,
    State(shop): State<Shop>,
    Path(id): Path<u32>,
) -> Result<String, Failure> {
    let ctx = ctx.with_baggage(&signed_in())?.with_timeout(Duration::from_millis(550));
    shop.log.arrived("shop", &ctx);
    let seen = listen(shop.warehouse, id).with(&ctx).await?;
    Ok(format!("{seen:?}"))
}

#[propagate(span)]
async fn listen(mut warehouse: Warehouse, id: u32) -> Result<Vec<u32>, Status> {
    let mut levels = warehouse.watch(Article { id }).await?.into_inner();
    let mut seen = Vec::new();
    loop {
        match levels.message().await {
            Ok(Some(level)) => seen.push(level.left),
            Ok(None) => return Ok(seen),
            // The end arrives where we await: what came until then is the answer.
            Err(status) => match Cancelled::try_from(status) {
                Ok(cancelled) if cancelled.is_deadline() => return Ok(seen),
                Ok(cancelled) => return Err(cancelled.into()),
                Err(status) => return Err(status),
            },
        }
    }
}
