//! The outbox: what is sent if, and only if, its transaction was committed; and more than once if need be.
//!
//! A row is deleted when the worker has answered. A worker that is gone, or a process that is killed, makes it be sent again.

use std::time::Duration;

use async_nats::HeaderMap;
use ctxprop::wire::Formats;
use ctxprop::{Cancelled, Cause, Ctx, propagate};

use super::Orders;
use crate::ShopError;
use crate::database::TRANSACTION;

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_millis(200);

#[propagate]
impl Orders {
    /// A job of the service: it ends with it.
    pub(super) async fn empties_the_outbox(self) -> Result<(), Cancelled> {
        loop {
            match self.sends_a_parcel().await {
                Ok(true) => {}
                Ok(false) => self.0.posted.notified().await,
                Err(error) => {
                    Ctx::current().check()?;
                    tracing::warn!(error = &error as &dyn std::error::Error, "a parcel waits");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Whether there was one.
    async fn sends_a_parcel(&self) -> Result<bool, ShopError> {
        let next = sqlx::query_as("SELECT id, key, headers FROM outbox ORDER BY id LIMIT 1");
        let next: Option<(i64, String, String)> = next.fetch_optional(&self.0.database).await?;
        let Some((id, key, headers)) = next else { return Ok(false) };
        let headers: Vec<(String, String)> =
            serde_json::from_str(&headers).map_err(std::io::Error::from)?;
        // It goes on with the trace and for the customer of its order.
        let (ctx, over) = Ctx::current().with_incoming(Formats::queued().extract(&headers));
        let sent = ctx.run(self.sends(id, key)).await;
        over.cancel_with(Cause::Finished);
        sent??;
        Ok(true)
    }

    #[propagate(span)]
    async fn sends(&self, id: i64, key: String) -> Result<(), ShopError> {
        let ctx = Ctx::current();
        let headers: HeaderMap = ctx.injected(&Formats::queued())?;
        let asked = self.0.nats.request_with_headers("orders.paid", headers, key.into());
        asked.await.map_err(ShopError::broker)?;
        let delete = sqlx::query("DELETE FROM outbox WHERE id = ?").bind(id);
        ctx.shield(TRANSACTION, delete.execute(&self.0.database)).await??;
        Ok(())
    }
}
