//! A lost task: what it waits for comes only where all goes well.

use std::sync::Arc;

use ctxprop::{Cancelled, Ctx, propagate};

use crate::{Shop, charge};

/// Charges, and has that audited.
///
/// # Errors
///
/// Where the context ends first.
#[propagate]
pub async fn checkout(ctx: Ctx, shop: Arc<Shop>) -> Result<(), Cancelled> {
    ctx.detach("the audit outlives the request").spawn(audit(Arc::clone(&shop))); // planted
    charge().await?;
    shop.audited.notify_one();
    Ok(())
}

#[propagate]
async fn audit(shop: Arc<Shop>) -> Result<(), Cancelled> {
    shop.audited.notified().await;
    Ok(())
}

/// Has it audited by a task that has no context at all, behind the macro's back.
///
/// # Errors
///
/// Where the context ends first.
#[propagate]
pub async fn checkout_behind(shop: Arc<Shop>) -> Result<(), Cancelled> {
    audits_behind(Arc::clone(&shop));
    charge().await?;
    shop.audited.notify_one();
    Ok(())
}

fn audits_behind(shop: Arc<Shop>) {
    tokio::spawn(async move { shop.audited.notified().await });
}
