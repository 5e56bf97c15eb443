//! A swallowed end: what was not charged is taken for charged.

use std::sync::Arc;

use ctxprop::{Cancelled, propagate};

use crate::{Shop, charge};

/// Charges.
///
/// # Errors
///
/// Where the context ends first.
#[propagate]
pub async fn checkout(_shop: Arc<Shop>) -> Result<(), Cancelled> {
    let _ = charge().await; // planted
    Ok(())
}
