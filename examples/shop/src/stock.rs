//! The stock, with the payments: pieces are taken and given back, money too, each under the key of its order.
//!
//! A key makes doing a thing twice the same as doing it once. What is given back before it was taken leaves a mark, so that
//! taking it later is refused: a request that was dropped on its way may arrive after the one that undoes it.

use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use ctxprop::{Ctx, propagate};
use ctxprop_axum::{Baggage, CtxLayer};
use futures_util::StreamExt;
use sqlx::{Connection, SqlitePool};
use tokio::io::AsyncWriteExt;

use crate::database::{self, BEGIN, TRANSACTION};
use crate::model::{Charge, Take};
use crate::service::{Root, Running};
use crate::{Caller, ShopError};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS articles (id INTEGER PRIMARY KEY, price INTEGER NOT NULL, stock INTEGER NOT NULL CHECK (stock >= 0));
    CREATE TABLE IF NOT EXISTS taken (key TEXT PRIMARY KEY, article INTEGER, given_back INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS charged (key TEXT PRIMARY KEY, amount INTEGER, given_back INTEGER NOT NULL) STRICT;
    INSERT OR IGNORE INTO articles VALUES (1, 1200, 100000), (2, 300, 100000), (3, 4599, 100000), (4, 10, 100000), (5, 99900, 100000);
";

/// Its state.
#[derive(Clone, Debug)]
pub struct Stock {
    database: SqlitePool,
    pictures: PathBuf,
    /// The longest that the bank takes.
    bank: Duration,
}

impl Stock {
    /// In this folder, with a bank that takes up to so long.
    ///
    /// # Errors
    ///
    /// The database cannot be opened.
    pub async fn open(folder: &FilePath, bank: Duration) -> Result<Stock, ShopError> {
        let database = database::open(&folder.join("stock.db"), TABLES).await?;
        let pictures = folder.join("pictures");
        tokio::fs::create_dir_all(&pictures).await?;
        Ok(Stock { database, pictures, bank })
    }

    /// Its database.
    pub fn database(&self) -> &SqlitePool {
        &self.database
    }

    /// Serves it.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub async fn serve(self, root: Root, listen: SocketAddr) -> Result<Running, ShopError> {
        // Only peers call: they are believed who asks, and how long they wait.
        let app = Router::new()
            .route("/articles/{id}/price", get(price))
            .route("/articles/{id}/picture", put(picture))
            .route("/taken/{key}", post(take).delete(give_back))
            .route("/charged/{key}", post(charge).delete(refund))
            .with_state(self)
            .layer(CtxLayer::mesh().default_budget(Duration::from_secs(5)));
        root.serve(listen, app).await
    }
}

#[propagate]
async fn price(
    ctx: Ctx,
    State(stock): State<Stock>,
    Path(id): Path<i64>,
) -> Result<Json<i64>, ShopError> {
    let price = sqlx::query_scalar("SELECT price FROM articles WHERE id = ?").bind(id);
    let Some(price) = price.fetch_optional(&stock.database).await? else {
        return Err(ShopError::Refused(StatusCode::NOT_FOUND, "there is no such article"));
    };
    tracing::debug!(left = ?ctx.remaining(), "a price was looked up");
    Ok(Json(price))
}

/// Takes a piece for the order `key`.
#[propagate]
async fn take(
    ctx: Ctx,
    State(stock): State<Stock>,
    Path(key): Path<String>,
    Json(Take { article }): Json<Take>,
) -> Result<StatusCode, ShopError> {
    let mut conn = stock.database.acquire().await?;
    let taken = ctx.shield(TRANSACTION, async move {
        let mut tx = conn.begin_with(BEGIN).await?;
        let is_new = sqlx::query("INSERT INTO taken VALUES (?, ?, 0) ON CONFLICT DO NOTHING")
            .bind(&key)
            .bind(article)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if is_new == 0 {
            let given_back = sqlx::query_scalar("SELECT given_back FROM taken WHERE key = ?");
            let given_back: bool = given_back.bind(&key).fetch_one(&mut *tx).await?;
            return Ok(!given_back);
        }
        let left = sqlx::query("UPDATE articles SET stock = stock - 1 WHERE id = ? AND stock > 0")
            .bind(article)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if left == 0 {
            return Ok::<_, sqlx::Error>(false); // rolled back
        }
        tx.commit().await?;
        Ok(true)
    });
    if !taken.await?? {
        return Err(ShopError::Refused(StatusCode::CONFLICT, "sold out, or given back before"));
    }
    tracing::info!(article, "a piece was taken");
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the piece of the order `key` back, if it has one, and sees that it will not get one any more.
#[propagate]
async fn give_back(
    ctx: Ctx,
    State(stock): State<Stock>,
    Path(key): Path<String>,
) -> Result<StatusCode, ShopError> {
    let mut conn = stock.database.acquire().await?;
    let given_back = ctx.shield(TRANSACTION, async move {
        let mut tx = conn.begin_with(BEGIN).await?;
        let article: Option<i64> = sqlx::query_scalar(
            "UPDATE taken SET given_back = 1 WHERE key = ? AND given_back = 0 RETURNING article",
        )
        .bind(&key)
        .fetch_optional(&mut *tx)
        .await?;
        let change = match article {
            Some(article) => {
                sqlx::query("UPDATE articles SET stock = stock + 1 WHERE id = ?").bind(article)
            }
            None => sqlx::query("INSERT INTO taken VALUES (?, NULL, 1) ON CONFLICT DO NOTHING")
                .bind(&key),
        };
        change.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(article)
    });
    if let Some(article) = given_back.await?? {
        tracing::info!(article, "a piece was given back");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the money for the order `key`, of who asks.
#[propagate]
async fn charge(
    ctx: Ctx,
    State(stock): State<Stock>,
    Baggage(caller): Baggage<Caller>,
    Path(key): Path<String>,
    Json(Charge { amount }): Json<Charge>,
) -> Result<StatusCode, ShopError> {
    // The bank takes its time; when the caller has left, nobody waits for it.
    tokio::time::sleep(stock.bank.mul_f64(fastrand::f64())).await;
    let mut conn = stock.database.acquire().await?;
    let charged = ctx.shield(TRANSACTION, async move {
        sqlx::query("INSERT INTO charged VALUES (?, ?, 0) ON CONFLICT DO NOTHING")
            .bind(&key)
            .bind(amount)
            .execute(&mut *conn)
            .await?;
        let given_back = sqlx::query_scalar("SELECT given_back FROM charged WHERE key = ?");
        let given_back: bool = given_back.bind(&key).fetch_one(&mut *conn).await?;
        Ok::<_, sqlx::Error>(!given_back)
    });
    if !charged.await?? {
        return Err(ShopError::Refused(StatusCode::CONFLICT, "refunded before"));
    }
    tracing::info!(amount, tenant = caller.tenant, "the money was taken");
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the money for the order `key` back, if it was taken, and sees that it will not be taken any more.
#[propagate]
async fn refund(
    ctx: Ctx,
    State(stock): State<Stock>,
    Path(key): Path<String>,
) -> Result<StatusCode, ShopError> {
    let mut conn = stock.database.acquire().await?;
    let refunded = ctx.shield(TRANSACTION, async move {
        sqlx::query(
            "INSERT INTO charged VALUES (?, NULL, 1) ON CONFLICT DO UPDATE SET given_back = 1",
        )
        .bind(&key)
        .execute(&mut *conn)
        .await
    });
    refunded.await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a picture of an article: a whole one, or none.
#[propagate]
async fn picture(
    ctx: Ctx,
    State(stock): State<Stock>,
    Path(id): Path<i64>,
    body: Body,
) -> Result<String, ShopError> {
    let name = stock.pictures.join(format!("{id}.png"));
    let part = stock.pictures.join(format!("{id}-{}.part", fastrand::u64(..)));
    let mut file = tokio::fs::File::create(&part).await?;
    // However this function ends, also where its client hangs up, half a file does not stay.
    let unfinished = ctx.defer(Duration::from_secs(5), {
        let part = part.clone();
        async move {
            if let Err(error) = tokio::fs::remove_file(part).await {
                tracing::warn!(%error, "half a picture cannot be removed");
            }
        }
    });
    let (mut pieces, mut bytes) = (body.into_data_stream(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| ShopError::Io(std::io::Error::other(error)))?;
        file.write_all(&piece).await?;
        bytes += piece.len();
    }
    ctx.shield(TRANSACTION, async {
        file.sync_all().await?;
        tokio::fs::rename(&part, &name).await
    })
    .await??;
    unfinished.disarm();
    tracing::info!(id, bytes, "a picture was stored");
    Ok(format!("{bytes} bytes"))
}
