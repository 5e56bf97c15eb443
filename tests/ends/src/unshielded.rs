//! Cleanup without a shield: at the end of the context the release does not begin.

use std::sync::Arc;

use ctxprop::{Cancelled, propagate};

use crate::{Shop, charge, release, reserve};

/// Reserves and charges, and takes the reservation back.
///
/// # Errors
///
/// Where the context ends first.
#[propagate]
pub async fn checkout(shop: Arc<Shop>) -> Result<(), Cancelled> {
    reserve(&shop).await?;
    match charge().await {
        Ok(()) => release(&shop).await,
        Err(error) => {
            release(&shop).await?; // planted
            Err(error)
        }
    }
}
