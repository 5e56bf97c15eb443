//! A shop that is right.

use std::sync::Arc;
use std::time::Duration;

use ctxprop::{Cancelled, Ctx, propagate};

use crate::{Shop, charge, release, reserve};

/// Reserves and charges, in two ways at once, with a task, and takes back what it did.
///
/// # Errors
///
/// Where the context ends first.
#[propagate]
pub async fn checkout(ctx: Ctx, shop: Arc<Shop>) -> Result<&'static str, Cancelled> {
    let (audited, charged) = tokio::join!(ctx.spawn(audit(Arc::clone(&shop))), paid(&shop));
    charged?;
    audited??;
    Ok("bought")
}

#[propagate]
async fn paid(shop: &Shop) -> Result<(), Cancelled> {
    let ctx = Ctx::current();
    reserve(shop).await?;
    let charged = charge().await;
    ctx.shield(Duration::from_secs(2), release(shop)).await??;
    charged
}

#[propagate]
async fn audit(shop: Arc<Shop>) -> Result<(), Cancelled> {
    tokio::select! {
        () = shop.audited.notified() => Ok(()),
        done = charge() => done,
    }
}
