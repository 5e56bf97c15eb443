//! The orders. One is placed over two services, and is paid with its piece taken, or is released with nothing gone.

mod events;
mod outbox;
mod steps;

use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::{Baggage, CtxLayer};
use ctxprop_reqwest::Client;
use moka::future::Cache;
use sqlx::SqlitePool;
use tokio::sync::{Notify, broadcast};

use crate::database;
use crate::model::Change;
use crate::service::{Root, Running};
use crate::{Caller, NewOrder, Receipt, ShopError};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS orders (key TEXT PRIMARY KEY, user_id INTEGER NOT NULL, article INTEGER NOT NULL, price INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, key TEXT NOT NULL, headers TEXT NOT NULL) STRICT;
";

/// How long releasing an order may take, whoever waits for it.
const RELEASE: Duration = Duration::from_secs(10);

/// The state of the service.
#[derive(Clone, Debug)]
pub struct Orders(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: SqlitePool,
    stock: Client,
    nats: async_nats::Client,
    /// All requests share them.
    prices: Cache<i64, i64>,
    changes: broadcast::Sender<Change>,
    /// There is something in the outbox.
    posted: Notify,
}

impl Orders {
    /// In this folder, with the stock and the broker at these addresses.
    ///
    /// # Errors
    ///
    /// The database cannot be opened, or the broker not be reached.
    pub async fn open(folder: &FilePath, stock: &str, nats: &str) -> Result<Orders, ShopError> {
        Ok(Orders(Arc::new(Inner {
            database: database::open(&folder.join("orders.db"), TABLES).await?,
            stock: Client::builder().base_url(stock).build()?,
            nats: async_nats::connect(nats).await.map_err(ShopError::broker)?,
            prices: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(Duration::from_millis(200))
                .build(),
            changes: broadcast::Sender::new(1_024),
            posted: Notify::new(),
        })))
    }

    /// Its database.
    pub fn database(&self) -> &SqlitePool {
        &self.0.database
    }

    /// Serves it.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at, or what a process that was killed has left cannot be released.
    pub async fn serve(self, root: Root, listen: SocketAddr) -> Result<Running, ShopError> {
        self.recover().with(&root.ctx).await?;
        let jobs = root.ctx.detach_until_shutdown("the outbox is emptied");
        drop(jobs.spawn(self.clone().empties_the_outbox()));
        let layer = CtxLayer::mesh()
            .default_budget(Duration::from_secs(5))
            .route_budget("/orders/{key}/events", None);
        let app = Router::new()
            .route("/orders", post(place))
            .route("/orders/{key}/events", get(events::of_order))
            .route("/orders/{key}/shipped", post(shipped))
            .with_state(self)
            .layer(layer);
        root.serve(listen, app).await
    }

    /// A killed process runs no shield: what it had pending is released before new orders are taken.
    #[propagate]
    async fn recover(&self) -> Result<(), ShopError> {
        let pending = sqlx::query_scalar("SELECT key FROM orders WHERE state = 'pending'");
        let pending: Vec<String> = pending.fetch_all(&self.0.database).await?;
        for key in pending {
            tracing::warn!(key, "an order was left pending");
            self.release(&key).await?;
        }
        Ok(())
    }
}

/// Places an order.
#[propagate]
async fn place(
    ctx: Ctx,
    State(orders): State<Orders>,
    Baggage(caller): Baggage<Caller>,
    Json(order): Json<NewOrder>,
) -> Result<Json<Receipt>, ShopError> {
    let price = orders.price(order.article).await?;
    if let Some(receipt) = orders.insert(&order, &caller, price).await? {
        return Ok(Json(receipt));
    }
    let key = order.key;
    let placed = async {
        tokio::try_join!(orders.take(&key, order.article), orders.charge(&key, price))?;
        orders.paid(&key).await
    };
    if let Err(error) = placed.await {
        // Whoever waited may be gone, the time be up: the piece and the money are given back all the same.
        ctx.shield(RELEASE, orders.release(&key)).await??;
        return Err(error);
    }
    Ok(Json(Receipt { key, price, state: "paid".to_owned() }))
}

/// The worker has sent the parcel.
#[propagate]
async fn shipped(
    ctx: Ctx,
    State(orders): State<Orders>,
    Path(key): Path<String>,
) -> Result<StatusCode, ShopError> {
    orders.is_shipped(&key).await?;
    tracing::info!(left = ?ctx.remaining(), "the parcel is on its way");
    Ok(StatusCode::NO_CONTENT)
}
