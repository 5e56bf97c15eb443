//! The steps of an order: each is done or not, and may be asked for twice.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ctxprop::wire::Formats;
use ctxprop::{Ctx, propagate};
use sqlx::Connection;

use super::Orders;
use crate::database::{BEGIN, TRANSACTION};
use crate::model::{Change, Charge, Take};
use crate::{Caller, NewOrder, Receipt, ShopError};

/// How long asking for a price may take, which is asked for all who wait for it.
const PRICE: Duration = Duration::from_secs(2);

#[propagate]
impl Orders {
    /// What an article costs: asked for once, however many want to know, and not for the first of them alone.
    pub(super) async fn price(&self, article: i64) -> Result<i64, ShopError> {
        let orders = self.clone();
        let flight = async move {
            let prices = &orders.0.prices;
            prices.try_get_with(article, orders.asks_for_the_price(article).in_current()).await
        };
        Ok(Ctx::current().shared("a price is everybody's", PRICE, flight).await??)
    }

    async fn asks_for_the_price(&self, article: i64) -> Result<i64, ShopError> {
        let asked = self.0.stock.get(format!("/articles/{article}/price")).retry(2).send().await?;
        let price = asked.error_for_status()?.json().await?;
        tracing::info!(article, price, "the price was asked for");
        Ok(price)
    }

    /// Notes that the order is pending. The receipt, where it was paid before.
    pub(super) async fn insert(
        &self,
        order: &NewOrder,
        caller: &Caller,
        price: i64,
    ) -> Result<Option<Receipt>, ShopError> {
        let mut conn = self.0.database.acquire().await?;
        let known = Ctx::current().shield(TRANSACTION, async {
            let mut tx = conn.begin_with(BEGIN).await?;
            let is_new = sqlx::query(
                "INSERT INTO orders VALUES (?, ?, ?, ?, 'pending') ON CONFLICT DO NOTHING",
            )
            .bind(&order.key)
            .bind(caller.user_id)
            .bind(order.article)
            .bind(price)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            let known = sqlx::query_as("SELECT price, state FROM orders WHERE key = ?");
            let known: (i64, String) = known.bind(&order.key).fetch_one(&mut *tx).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>((is_new == 0).then_some(known))
        });
        match known.await?? {
            None => {
                self.announce(&order.key, "pending");
                Ok(None)
            }
            Some((price, state)) if state == "paid" || state == "shipped" => {
                Ok(Some(Receipt { key: order.key.clone(), price, state }))
            }
            Some(_) => Err(ShopError::Refused(StatusCode::CONFLICT, "it was tried before")),
        }
    }

    /// Has the stock take a piece.
    pub(super) async fn take(&self, key: &str, article: i64) -> Result<(), ShopError> {
        let take = self.0.stock.post(format!("/taken/{key}")).json(&Take { article });
        take.header("idempotency-key", key).retry(2).send().await?.error_for_status()?;
        Ok(())
    }

    /// Has the bank take the money.
    #[propagate(budget = "80%")] // the rest is for noting that it is paid
    pub(super) async fn charge(&self, key: &str, amount: i64) -> Result<(), ShopError> {
        let charge = self.0.stock.post(format!("/charged/{key}")).json(&Charge { amount });
        charge.header("idempotency-key", key).retry(2).send().await?.error_for_status()?;
        Ok(())
    }

    /// Notes that it is paid, and in the same transaction that the worker is to be told.
    pub(super) async fn paid(&self, key: &str) -> Result<(), ShopError> {
        let ctx = Ctx::current();
        // The parcel is not sent for the one who waits now: it takes the trace and the baggage along, and no deadline.
        let parcel = ctx.detach("the parcel is sent whoever waits");
        let headers = parcel.injected::<Vec<(String, String)>>(&Formats::queued())?;
        let headers = serde_json::to_string(&headers).map_err(std::io::Error::from)?;
        let mut conn = self.0.database.acquire().await?;
        let is_paid = ctx.shield(TRANSACTION, async move {
            let mut tx = conn.begin_with(BEGIN).await?;
            let paid = "UPDATE orders SET state = 'paid' WHERE key = ? AND state = 'pending'";
            let paid = sqlx::query(paid).bind(key).execute(&mut *tx).await?.rows_affected();
            sqlx::query("INSERT INTO outbox (key, headers) VALUES (?, ?)")
                .bind(key)
                .bind(headers)
                .execute(&mut *tx)
                .await?;
            if paid == 1 {
                tx.commit().await?;
            }
            Ok::<_, sqlx::Error>(paid == 1)
        });
        if !is_paid.await?? {
            return Err(ShopError::Refused(StatusCode::CONFLICT, "it was released meanwhile"));
        }
        self.announce(key, "paid");
        self.0.posted.notify_one();
        Ok(())
    }

    /// Undoes what was done of an order that is not paid, and what may still be under way.
    pub(super) async fn release(&self, key: &str) -> Result<(), ShopError> {
        let mut conn = self.0.database.acquire().await?;
        // By state, not by memory: it may have been paid after all.
        let state = sqlx::query_scalar("SELECT state FROM orders WHERE key = ?").bind(key);
        if state.fetch_one(&mut *conn).await.is_ok_and(|state: String| state != "pending") {
            return Ok(());
        }
        let stock = &self.0.stock;
        for undo in [format!("/charged/{key}"), format!("/taken/{key}")] {
            stock.delete(undo).retry(3).send().await?.error_for_status()?;
        }
        sqlx::query("UPDATE orders SET state = 'released' WHERE key = ? AND state = 'pending'")
            .bind(key)
            .execute(&mut *conn)
            .await?;
        self.announce(key, "released");
        Ok(())
    }

    /// Notes that the parcel is on its way.
    pub(super) async fn is_shipped(&self, key: &str) -> Result<(), ShopError> {
        let mut conn = self.0.database.acquire().await?;
        let shipped = Ctx::current().shield(TRANSACTION, async move {
            sqlx::query("UPDATE orders SET state = 'shipped' WHERE key = ? AND state = 'paid'")
                .bind(key)
                .execute(&mut *conn)
                .await
        });
        if shipped.await??.rows_affected() > 0 {
            self.announce(key, "shipped");
        }
        Ok(())
    }

    /// How far an order is.
    pub(super) async fn state(&self, key: &str) -> Result<String, ShopError> {
        let state = sqlx::query_scalar("SELECT state FROM orders WHERE key = ?").bind(key);
        let state = state.fetch_optional(&self.0.database).await?;
        state.ok_or(ShopError::Refused(StatusCode::NOT_FOUND, "there is no such order"))
    }

    /// Tells whoever listens, here and at the board. Nobody need.
    fn announce(&self, key: &str, state: &str) {
        tracing::info!(key, state, "the order");
        let change = Change { key: key.to_owned(), state: state.to_owned() };
        drop(self.0.changes.send(change.clone()));
        let orders = Arc::clone(&self.0);
        let told = Ctx::current().detach("the board is told").with_timeout(TRANSACTION);
        drop(told.clone().spawn(async move {
            let published = async {
                let change = serde_json::to_vec(&change).map_err(std::io::Error::from)?;
                let headers = told.child_span().injected(&Formats::queued())?;
                let board =
                    orders.nats.publish_with_headers("orders.board", headers, change.into());
                board.await.map_err(ShopError::broker)
            };
            if let Err(error) = published.await {
                tracing::warn!(%error, "the board was not told");
            }
        }));
    }
}
