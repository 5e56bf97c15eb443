//! The worker: sends the parcels of orders that are paid, as messages tell it.

use std::net::SocketAddr;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use axum::{Router, routing::get};
use ctxprop::wire::Formats;
use ctxprop::{Cause, Ctx, propagate};
use ctxprop_axum::CtxLayer;
use ctxprop_reqwest::Client;
use futures_util::StreamExt;

use crate::ShopError;
use crate::service::{Root, Running};

/// How long a parcel may take.
const PARCEL: Duration = Duration::from_secs(10);

/// What it needs.
#[derive(Clone, Debug)]
pub struct Worker {
    orders: Client,
    nats: async_nats::Client,
}

impl Worker {
    /// With the others at these addresses.
    ///
    /// # Errors
    ///
    /// One is no address, or the broker cannot be reached.
    pub async fn open(orders: &str, nats: &str) -> Result<Worker, ShopError> {
        Ok(Worker {
            orders: Client::builder().base_url(orders).build()?,
            nats: async_nats::connect(nats).await.map_err(ShopError::broker)?,
        })
    }

    /// Works, and serves nothing but the question whether it does: so it ends as the others do.
    ///
    /// # Errors
    ///
    /// The broker refuses, or the address cannot be listened at.
    pub async fn serve(self, root: Root, listen: SocketAddr) -> Result<Running, ShopError> {
        // Several workers share what is paid.
        let paid = self.nats.queue_subscribe("orders.paid", "workers".to_owned());
        let paid = paid.await.map_err(ShopError::broker)?;
        let job = root.ctx.detach_until_shutdown("parcels are sent");
        drop(job.spawn(self.works(paid)));
        let app = Router::new().route("/health", get(|| async { "working" }));
        root.serve(listen, app.layer(CtxLayer::mesh())).await
    }
}

#[propagate]
impl Worker {
    /// Works until its context ends; what it has begun then is finished.
    async fn works(self, mut paid: Subscriber) -> Result<(), ShopError> {
        let ctx = Ctx::current();
        while let Some(message) = paid.next().await {
            // Whose order it is, and in which trace, the message tells.
            let (order, over) = ctx.with_incoming(Formats::queued().extract(&message.headers));
            // Once begun it is seen through, also at a shutdown.
            let sent = order.shield(PARCEL, self.sends(message)).await;
            over.cancel_with(Cause::Finished);
            if let Err(error) = sent.map_err(ShopError::from).and_then(|sent| sent) {
                // It is not answered, so it comes again.
                tracing::warn!(error = &error as &dyn std::error::Error, "a parcel was not sent");
            }
        }
        Ok(())
    }

    #[propagate(span = "parcel")]
    async fn sends(&self, message: Message) -> Result<(), ShopError> {
        let key = String::from_utf8_lossy(&message.payload);
        tracing::info!(%key, "a parcel is packed");
        let shipped = self.orders.post(format!("/orders/{key}/shipped"));
        shipped.header("idempotency-key", &*key).retry(2).send().await?.error_for_status()?;
        if let Some(reply) = message.reply {
            self.nats.publish(reply, "sent".into()).await.map_err(ShopError::broker)?;
        }
        Ok(())
    }
}
