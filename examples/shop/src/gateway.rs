//! What strangers call: it finds out who asks, and passes the rest on.

mod board;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::Client;
use tokio::sync::broadcast;

use crate::service::{Root, Running};
use crate::{Caller, NewOrder, Receipt, ShopError};

/// The longest that a request may take, and what it gets if it asks for nothing.
const BUDGET: Duration = Duration::from_secs(5);

/// Its state.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    orders: Client,
    stock: Client,
    nats: async_nats::Client,
    /// What happens in the shop, for all who look at the board.
    board: broadcast::Sender<String>,
    /// Who has which token. A real one verifies a signature.
    customers: HashMap<&'static str, Caller>,
}

impl Gateway {
    /// With the others at these addresses.
    ///
    /// # Errors
    ///
    /// One is no address, or the broker cannot be reached.
    pub async fn open(orders: &str, stock: &str, nats: &str) -> Result<Gateway, ShopError> {
        let customer = |user_id, tenant: &str| Caller { user_id, tenant: tenant.to_owned() };
        Ok(Gateway(Arc::new(Inner {
            orders: Client::builder().base_url(orders).build()?,
            stock: Client::builder().base_url(stock).build()?,
            nats: async_nats::connect(nats).await.map_err(ShopError::broker)?,
            board: broadcast::Sender::new(1_024),
            customers: HashMap::from([
                ("alice", customer(7, "acme")),
                ("bob", customer(8, "globex")),
            ]),
        })))
    }

    /// Serves it.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at, or the board's messages not be subscribed to.
    pub async fn serve(self, root: Root, listen: SocketAddr) -> Result<Running, ShopError> {
        let messages = self.0.nats.subscribe("orders.board").await.map_err(ShopError::broker)?;
        let job = root.ctx.detach_until_shutdown("the board is fed");
        drop(job.spawn(board::feed(messages, self.0.board.clone())));
        // What lasts has no budget; what takes longer has its own.
        let layer = CtxLayer::edge()
            .default_budget(BUDGET)
            .route_budget("/orders/{key}/events", None)
            .route_budget("/board", None)
            .route_budget("/articles/{id}/picture", Duration::from_secs(60))
            .echo_trace_id();
        let app = Router::new()
            .route("/orders", post(order))
            .route("/orders/{key}/events", get(events))
            .route("/articles/{id}/picture", put(picture))
            .route("/board", any(board::board))
            .layer(from_fn_with_state(self.clone(), who_asks))
            .with_state(self)
            .layer(layer);
        root.serve(listen, app).await
    }
}

/// Finds out who asks: from here on the context says so, to whatever is below and to the other services.
#[propagate]
async fn who_asks(
    ctx: Ctx,
    State(gateway): State<Gateway>,
    request: Request,
    next: Next,
) -> Result<Response, ShopError> {
    let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let Some(caller) = gateway.0.customers.get(token) else {
        return Err(ShopError::Refused(StatusCode::UNAUTHORIZED, "who are you?"));
    };
    let ctx = ctx.with_baggage(caller)?;
    Ok(ctx.scope(next.run(request)).await)
}

/// Passes an order on.
#[propagate]
async fn order(
    ctx: Ctx,
    State(gateway): State<Gateway>,
    Json(order): Json<NewOrder>,
) -> Result<Json<Receipt>, ShopError> {
    let caller: Caller = ctx.baggage()?;
    tracing::info!(key = order.key, tenant = caller.tenant, left = ?ctx.remaining(), "an order comes in");
    let placed = gateway.0.orders.post("/orders").json(&order).send().await?;
    Ok(Json(placed.error_for_status()?.json().await?))
}

/// Passes the events of an order on, as they come, for as long as somebody listens.
#[propagate]
async fn events(
    State(gateway): State<Gateway>,
    Path(key): Path<String>,
    _ctx: Ctx,
) -> Result<Response, ShopError> {
    let events = gateway.0.orders.get(format!("/orders/{key}/events")).send().await?;
    let events = events.error_for_status()?;
    let kind = [(CONTENT_TYPE, "text/event-stream")];
    Ok((kind, Body::from_stream(events.bytes_stream())).into_response())
}

/// Passes a picture on, piece by piece: nothing of it is kept here.
#[propagate]
async fn picture(
    State(gateway): State<Gateway>,
    Path(id): Path<i64>,
    _ctx: Ctx,
    body: Body,
) -> Result<String, ShopError> {
    let body = ctxprop_reqwest::Body::wrap_stream(body.into_data_stream());
    let stored = gateway.0.stock.put(format!("/articles/{id}/picture")).body(body).send().await?;
    Ok(stored.error_for_status()?.text().await?)
}
