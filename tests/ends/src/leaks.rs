//! A leaked context: it leaves the table of sessions only where all goes well.

use std::sync::Arc;

use ctxprop::{Cancelled, Ctx, propagate};

use crate::{Shop, charge};

/// Charges, in a session.
///
/// # Errors
///
/// Where the context ends first.
#[propagate]
pub async fn checkout(ctx: Ctx, shop: Arc<Shop>) -> Result<(), Cancelled> {
    let session = ctx.with_value("session"); // planted
    shop.enter(7, &session);
    charge().await?;
    shop.leave(7);
    Ok(())
}

/// The same with the context itself.
///
/// # Errors
///
/// Where the context ends first.
#[propagate]
pub async fn checkout_itself(ctx: Ctx, shop: Arc<Shop>) -> Result<(), Cancelled> {
    shop.enter(7, &ctx);
    charge().await?;
    shop.leave(7);
    Ok(())
}
